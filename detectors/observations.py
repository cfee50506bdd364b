"""One event as the tripwires see it, and how few people can explain several of them.

Intake makes an :class:`Observation` of each event version that stands; calibration makes them of simulated histories.
Plain Python: no numerics, no clock, no SQL.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.events import Response
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Delivery, Feed, Stratum

CONTEXT = timedelta(hours=144)
"""How far on either side of a new event others can matter: two windows of 72 h. Give :func:`evaluate` all of those."""

_HISTORY_FOR_FIRST = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Observation:
    """One event, as far as tripwires care. Times are timezone-aware, in UTC."""

    identity: str
    """``schemas.events.identity_of``."""
    feed: Feed
    occurred_at: datetime
    known_at: datetime
    area: AreaCode
    """The detection area it counts in, or the root where it cannot be placed."""
    fine_area: AreaCode | None = None
    """The small area in which it happened (an LSOA), or None where only a wider one is known."""
    scene: str | None = None
    subject: str | None = None
    classes: frozenset[SubstanceClass] = frozenset()
    """What it names, by whoever named it; empty, ``unknown`` or ``unknown_opioid`` when it names nothing."""
    detected: frozenset[SubstanceClass] = frozenset()
    """What a laboratory found: in a sample, or by toxicology after a death."""
    doses: int = 0
    response: Response = Response.UNKNOWN
    cardiac_arrest: bool = False
    delivery: Delivery = Delivery.LIVE
    stratum: Stratum = Stratum.GENERAL
    batch: str | None = None

    @property
    def is_sample(self) -> bool:
        """Whether it is a tested sample, and so nobody's harm."""
        return self.feed is Feed.DRUG_CHECKING

    @property
    def is_death(self) -> bool:
        """Whether it is a suspected death."""
        return self.feed is Feed.SUSPECTED_DEATHS

    def is_fresh(self, within: timedelta) -> bool:
        """Whether it came as news: delivered live, and soon after it happened. Only such events may page."""
        return self.delivery is Delivery.LIVE and self.known_at - self.occurred_at <= within


@dataclass(frozen=True)
class Seen:
    """Which classes laboratories had found before, so that a first can be told from a return.

    Attributes
    ----------
    history_start : datetime or None
        When drug-checking or toxicology records begin; None when there are none.
    earliest : mapping of (area, class) to datetime
        When the earliest stored detection of a class in a detection area (or the root) happened. It may hold the
        events under evaluation: a detection is the first when none happened before it.
    seed : frozenset of SubstanceClass or None
        Classes declared to be known here already; with a declared list no 12 months of history are needed.
    """

    history_start: datetime | None = None
    earliest: Mapping[tuple[AreaCode, SubstanceClass], datetime] = field(default_factory=dict)
    seed: frozenset[SubstanceClass] | None = None

    def can_tell(self, item: Observation) -> bool:
        """Whether enough is known of the past to call anything a first."""
        if self.seed is not None:
            return True
        return self.history_start is not None and item.occurred_at - self.history_start >= _HISTORY_FOR_FIRST

    def first_in(self, item: Observation, substance_class: SubstanceClass) -> str | None:
        """Return ``jurisdiction`` or ``area`` if this detection is the first there; None if not or if unknown."""
        if not self.can_tell(item) or (self.seed is not None and substance_class in self.seed):
            return None
        here = self.earliest.get((item.area, substance_class))
        if here is not None and here < item.occurred_at:
            return None
        anywhere = (moment for (_, one), moment in self.earliest.items() if one is substance_class)
        return "area" if any(moment < item.occurred_at for moment in anywhere) else "jurisdiction"


def fewest_people(observations: Iterable[Observation]) -> int:
    """Return the fewest people (or, of samples, batches) that can explain the records.

    Records with one subject token are of one person, in whatever feed. A record without a token may be of anybody
    whom another feed speaks of, but two of one feed are of two people.
    """
    known: set[str] = set()
    by_feed: dict[Feed, set[str]] = defaultdict(set)
    for item in observations:
        by_feed[item.feed].add(_who(item))
        if item.subject is not None:
            known.add(item.subject)
    return max((len(known), *(len(people) for people in by_feed.values())))


def people_by_feed(observations: Iterable[Observation]) -> dict[Feed, int]:
    """Return how many people (of samples: batches) each feed speaks of, in the order of the feed vocabulary."""
    by_feed: dict[Feed, set[str]] = defaultdict(set)
    for item in observations:
        by_feed[item.feed].add(_who(item))
    return {feed: len(by_feed[feed]) for feed in Feed if feed in by_feed}


def _who(item: Observation) -> str:
    if item.is_sample and item.batch is not None:
        return f"batch {item.batch}"
    return f"subject {item.subject}" if item.subject is not None else f"record {item.identity}"


def in_order(observations: Iterable[Observation]) -> list[Observation]:
    """Return observations by when they happened; the identity settles ties, so that the order of arrival cannot."""
    return sorted(observations, key=lambda item: (item.occurred_at, item.identity))


def windows(ordered: Sequence[Observation], span: timedelta) -> Iterable[tuple[Observation, ...]]:
    """Return each longest run of observations within ``span``, once, by its first member."""
    end = 0
    for start, first in enumerate(ordered):
        last = end
        while end < len(ordered) and ordered[end].occurred_at - first.occurred_at <= span:
            end += 1
        if end > last:
            yield tuple(ordered[start:end])
