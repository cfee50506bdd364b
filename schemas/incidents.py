"""Incidents as people see them: four separate axes of state, the machine's facts, and who has it.

``alerts`` builds these from the tables; the console, the command line and replay read them. They hold true numbers, as
:class:`schemas.disclosure.EventCount` where they count events: nothing here decides who may see the figures.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.authorise import Authentication
from schemas.disclosure import EventCount
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Slug, Tier

IncidentId = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,12}-[0-9]{4}-[0-9]{4,6}$")]
"""Such as ``KM-2018-0003``: prefix of the jurisdiction, civil year of opening, sequence in that year."""


class Phase(StrEnum):
    """How far people have got with it."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CORROBORATING = "corroborating"
    PANEL = "panel"
    DECIDED = "decided"
    CLOSED = "closed"


class Verification(StrEnum):
    """What people hold to be true of it; a machine's laboratory flag is not this."""

    UNVERIFIED = "unverified"
    CORROBORATED = "corroborated"
    LAB_CONFIRMED = "lab_confirmed"
    REFUTED = "refuted"


class Outcome(StrEnum):
    """What came of it."""

    NONE = "none"
    NO_ACTION = "no_action"
    INFORMATION_ONLY = "information_only"
    ALERT_ISSUED = "alert_issued"
    DUPLICATE = "duplicate"


class Reliability(StrEnum):
    """Grade: how far the evidence can be relied on."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class Severity(StrEnum):
    """Grade: how bad the harm is."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class Spread(StrEnum):
    """Grade: how far it reaches."""

    LOCAL = "local"
    SEVERAL_AREAS = "several_areas"
    WIDE = "wide"


class Urgency(StrEnum):
    """When its page rings."""

    NOW = "now"
    MORNING = "morning"
    """By day at once; between 22:00 and 07:30 Europe/London it waits until 07:30."""


class Worse(StrEnum):
    """Why people are told of an incident, first or again; the values are what the audit trail holds."""

    OPENED = "opened"
    HIGHER_TIER = "higher_tier"
    NEW_FEED = "new_feed"
    NEW_AREA = "new_area"
    LAB_CONFIRMED = "lab_confirmed"
    FIRST_DEATH = "first_death"
    EXCESS_DOUBLED = "excess_doubled"
    SECOND_WAVE = "second_wave"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Grade(_Model):
    """The panel's three grades; each is empty until somebody gives it."""

    reliability: Reliability | None = None
    severity: Severity | None = None
    spread: Spread | None = None


class Acknowledgement(_Model):
    """One person has it until ``review_by``."""

    id: str
    incident_id: IncidentId
    notice: int
    person: Slug
    authenticated_by: Authentication
    acknowledged_at: AwareDatetime
    review_by: AwareDatetime
    lapsed_at: AwareDatetime | None = None
    undone_at: AwareDatetime | None = None
    undone_by: Slug | None = None

    @property
    def stands(self) -> bool:
        """Whether the person still has it: neither undone nor lapsed."""
        return self.undone_at is None and self.lapsed_at is None


class Incident(_Model):
    """One incident: what the machine knows, what people decided, who has it and what happens next."""

    id: IncidentId
    jurisdiction: Jurisdiction
    opened_at: AwareDatetime
    changed_at: AwareDatetime
    linked_to: IncidentId | None = None

    tier: Tier
    urgency: Urgency
    substance_class: SubstanceClass
    areas: tuple[AreaCode, ...]
    feeds: tuple[Feed, ...]
    window: tuple[date, date]
    """Civil days of the strongest signal, both included."""
    observed: EventCount
    """Of the strongest signal, as are ``expected`` and ``recurrence_interval_days``."""
    expected: float
    recurrence_interval_days: float
    first_day: date
    last_day: date
    """Of all its signals."""
    newest_evidence_at: AwareDatetime
    serious_outcome: bool
    lab_confirmed: bool
    signals: int
    evidence_withdrawn: int
    """How many of the events behind it were taken back."""
    evidence_withdrawn_at: AwareDatetime | None = None

    phase: Phase = Phase.NEW
    grade: Grade = Grade()
    verification: Verification = Verification.UNVERIFIED
    outcome: Outcome = Outcome.NONE
    owner: Slug | None = None
    closed_at: AwareDatetime | None = None
    closed_by: Slug | None = None

    notice: int
    reasons: tuple[Worse, ...]
    """Why the latest notice was given."""
    next_step_at: AwareDatetime | None = None
    acknowledgements: tuple[Acknowledgement, ...] = ()
    """All of them, oldest first, the undone and lapsed too."""

    @property
    def is_open(self) -> bool:
        """Whether later evidence still joins it."""
        return self.closed_at is None

    @property
    def held_by(self) -> tuple[Acknowledgement, ...]:
        """The acknowledgements that answer the latest notice and still stand."""
        return tuple(item for item in self.acknowledgements if item.stands and item.notice == self.notice)


class AuditEntry(_Model):
    """One line of the audit trail: ids and codes only, chained by hash to the line before."""

    jurisdiction: Jurisdiction
    position: Annotated[int, Field(ge=1)]
    at: AwareDatetime
    actor: Slug
    authenticated_by: Authentication
    action: str
    subject_kind: str
    subject: str
    detail: Mapping[str, Any]
    previous_hash: str
    hash: str
