"""The small closed vocabularies that every package shares: feeds, tiers, strata, kinds of delivery.

Domain values are types, not strings, so that a feed can never be passed where a tier is wanted. All are
string enumerations: their values are what is stored, sent and shown in JSON, and never change meaning.
"""

from enum import StrEnum
from typing import Annotated, NewType

from pydantic import StringConstraints

Jurisdiction = NewType("Jurisdiction", str)
"""The slug of one Local Drug Information System, such as ``kent-and-medway``: the unit of budget, panel and roles."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
"""Lower-case words joined by hyphens: names of jurisdictions, organisations, sites, people and keys."""


class Feed(StrEnum):
    """The four kinds of record that Tocsin listens to."""

    SUSPECTED_DEATHS = "suspected-deaths"
    AMBULANCE_NALOXONE = "ambulance-naloxone"
    ED_PRESENTATIONS = "ed-presentations"
    DRUG_CHECKING = "drug-checking"


class Tier(StrEnum):
    """What a signal asks of people, from least to most (compare with :attr:`rank`)."""

    RECORD = "record"
    REVIEW = "review"
    PAGE = "page"

    @property
    def rank(self) -> int:
        """0 for record, 1 for review, 2 for page."""
        return ("record", "review", "page").index(self.value)


class Stratum(StrEnum):
    """Which population an event is counted in; only ``general`` enters the clusters that LDIS groups hear of."""

    GENERAL = "general"
    PRISON = "prison"
    SCHOOL = "school"
    SELF_HARM = "self_harm"


class Delivery(StrEnum):
    """How a record reached us. Only a live delivery may page: the others make at most one review."""

    LIVE = "live"
    BACKFILL = "backfill"
    RELEASE = "release"
    """Released from quarantine by a person."""


class Precision(StrEnum):
    """How finely a sender knows when an event happened. Coarser than a day enters weekly series only."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def is_daily(self) -> bool:
        """Whether the event can be counted on one civil day."""
        return self in (Precision.MINUTE, Precision.HOUR, Precision.DAY)
