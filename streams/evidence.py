"""What stands behind a signal of counts: the events themselves, their age, and whether they arrived as news.

Detectors see numbers only. A detection run completes their signals here, before they are stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, select

from schemas.events import Status
from schemas.overlap import classes_overlap
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery, Feed, Stratum, Tier
from streams.profile import JurisdictionProfile
from streams.versions import known_at

EVENT = event_version.c
MOST_EVIDENCE = 200
_NEWS_SHARE = 2 / 3
"""A page wants at least this share of its events to have been delivered live, and not loaded in bulk or released."""


@dataclass(frozen=True, slots=True)
class _Found:
    identity: str
    feed: str
    occurred_at: datetime
    delivery: str
    confirmed: bool


def complete(
    connection: Connection, profile: JurisdictionProfile, signal: Signal, *, as_of: datetime | None = None
) -> Signal:
    """Return the signal with its evidence; one that rests on bulk-loaded records is a review at most.

    The evidence is what stands now or, for whoever looks back, what stood at ``as_of``.
    """
    found = _events_behind(connection, profile, signal, as_of)
    live = sum(item.delivery == Delivery.LIVE.value for item in found)
    is_news = live >= _NEWS_SHARE * len(found)
    changes: dict[str, object] = {
        "evidence": tuple(sorted(item.identity for item in found)[:MOST_EVIDENCE]),
        "serious_outcome": any(item.feed == Feed.SUSPECTED_DEATHS.value for item in found),
        "lab_confirmed": any(item.confirmed for item in found),
    }
    if found:
        changes["newest_evidence_at"] = max(item.occurred_at for item in found)
    if signal.tier is Tier.PAGE and not is_news:
        changes["tier"] = Tier.REVIEW
    return signal.model_copy(update=changes)


def _events_behind(
    connection: Connection, profile: JurisdictionProfile, signal: Signal, as_of: datetime | None
) -> list[_Found]:
    stands = and_(EVENT.superseded_at.is_(None), EVENT.status != Status.RETRACTED.value)
    statement = select(
        EVENT.identity, EVENT.feed, EVENT.classes, EVENT.occurred_at, EVENT.delivery, EVENT.body
    ).where(
        EVENT.jurisdiction == profile.jurisdiction,
        EVENT.grain == "day",
        EVENT.stratum == Stratum.GENERAL.value,
        EVENT.day >= signal.window_start,
        EVENT.day <= signal.window_end,
        EVENT.feed.in_([item.feed.value for item in signal.feeds]),
        stands if as_of is None else known_at(as_of),
    )
    if signal.places:
        statement = statement.where(EVENT.area.in_(signal.places))
    elif profile.geography.root not in signal.areas:
        statement = statement.where(EVENT.detection_area.in_(signal.areas))
    # A detector that tells types of event apart counts whatever may belong to the type.
    exactly = "event_type" not in signal.parameters
    return [
        _Found(row.identity, row.feed, row.occurred_at, row.delivery, _is_confirmed(row.feed, row.body))
        for row in connection.execute(statement)
        if _speaks_of(signal.substance_class, row.classes.split(), exactly=exactly)
    ]


def _speaks_of(wanted: SubstanceClass, classes: Sequence[str], *, exactly: bool) -> bool:
    """Whether an event is one of those that a signal counted.

    A series of counts has one class. A type of event takes in whatever may be the same drug, and what names nothing.
    """
    if wanted is SubstanceClass.ANY:
        return True
    if exactly:
        return wanted.value in classes
    return any(classes_overlap(wanted, SubstanceClass(name)) for name in classes)


def _is_confirmed(feed: str, body: dict[str, object]) -> bool:
    """Whether a laboratory or a drug checker found something: toxicology after a death, or a detection in a sample."""
    if feed == Feed.DRUG_CHECKING.value:
        return bool(body.get("detected"))
    return feed == Feed.SUSPECTED_DEATHS.value and bool(body.get("confirmed"))
