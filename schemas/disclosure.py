"""Disclosure control: what may be said of small numbers outside the signed-in console.

Everything that leaves (e-mail, the console log, later Slack, alerts and digests) takes its counts, windows and rarity
from here. A count of events is an :class:`EventCount`, which prints itself safely; the figure comes out by
:func:`exact` alone, for a principal who may see it. Exact expected counts, p-values and intervals have no safe form and
must never be passed to an outside text, because they give the count back.

The rules: 1 to 7 is "fewer than 8"; 8 and more is rounded to 5; rarity is one of three bands. Where several counts and
their total are shown together, or one is shown after another that overlaps it, what could be worked out by subtraction
is withheld (:func:`publish_set`, :func:`publish`).
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.authorise import Action, Principal, authorise
from schemas.clock import LONDON, civil_day
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction

LARGEST_SUPPRESSED: Final = 7
"""Sub-national hospital data: 1 to 7 are not shown."""
ROUNDED_TO: Final = 5

NONE_WORDS: Final = "none"
FEW_WORDS: Final = f"fewer than {LARGEST_SUPPRESSED + 1}"
WITHHELD_WORDS: Final = "not shown"

Key = TypeVar("Key", bound=Hashable)


class Classification(StrEnum):
    """Who a text or file is for: inside holds true numbers, outside holds only what this module lets through."""

    INTERNAL = "internal"
    OUTSIDE = "outside"


class CountBand(StrEnum):
    """How much of a count a chart in a message may show."""

    NONE = "none"
    FEW = "1-7"
    MORE = "8+"


class EventCount:
    """A count of events of one jurisdiction. It prints itself safely and offers no arithmetic.

    ``str``, ``format`` and ``repr`` say "none", "fewer than 8" or "about 10" (rounded to 5), whatever the format asks
    for; JSON holds the same words. Two counts can be compared for equality, so that models that hold them can be.
    """

    __slots__ = ("_figure", "_jurisdiction")

    def __init__(self, figure: int, jurisdiction: Jurisdiction) -> None:
        if type(figure) is not int or figure < 0:
            msg = "a count of events is a whole number, 0 or more"
            raise ValueError(msg)
        self._figure = figure
        self._jurisdiction = jurisdiction

    @property
    def jurisdiction(self) -> Jurisdiction:
        """Whose events these are: the figure is shown only to people with a role there."""
        return self._jurisdiction

    @property
    def band(self) -> CountBand:
        """None, 1-7, or 8 and more."""
        if self._figure == 0:
            return CountBand.NONE
        return CountBand.FEW if self._figure <= LARGEST_SUPPRESSED else CountBand.MORE

    def __str__(self) -> str:
        return words_for(_range_of(self)[1])

    def __format__(self, _specification: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"EventCount({self})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventCount):
            return NotImplemented
        return (self._figure, self._jurisdiction) == (other._figure, other._jurisdiction)

    def __hash__(self) -> int:
        return hash((EventCount, self._figure, self._jurisdiction))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a count of events is not written to a file: its figure would go with it")

    def __copy__(self) -> "EventCount":
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> "EventCount":
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "description": "A count made safe: none, fewer than 8, or rounded to 5."}

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 (pydantic's own protocol)
        return core_schema.is_instance_schema(cls, serialization=core_schema.to_string_ser_schema())


def exact(count: EventCount, principal: Principal) -> int:
    """Return the figure, to a principal who may see figures in the count's own jurisdiction.

    Raises
    ------
    schemas.authorise.Forbidden
        If they may not.
    """
    authorise(principal, Action.SEE_FIGURES, count.jurisdiction)
    return count._figure  # noqa: SLF001 (the one way out)


def words_for(high: int) -> str:
    """Return the words for a count that may be as large as ``high``."""
    if high == 0:
        return NONE_WORDS
    if high <= LARGEST_SUPPRESSED:
        return FEW_WORDS
    return f"about {_rounded(high)}"


def _rounded(figure: int) -> int:
    return ROUNDED_TO * ((figure + ROUNDED_TO // 2) // ROUNDED_TO)


def _range_of(count: EventCount) -> tuple[int, int]:
    """Return the smallest and largest figure that is shown with the same words."""
    figure = count._figure  # noqa: SLF001 (this module makes the words)
    if figure == 0:
        return 0, 0
    if figure <= LARGEST_SUPPRESSED:
        return 1, LARGEST_SUPPRESSED
    middle = _rounded(figure)
    half = ROUNDED_TO // 2
    return max(LARGEST_SUPPRESSED + 1, middle - half), middle + half


class Rarity(StrEnum):
    """How seldom chance alone gives something this strong: all that may be said outside of a p-value."""

    RARE = "less than once a year"
    UNCOMMON = "less than once a month"
    COMMON = "once a month or more"

    @classmethod
    def of(cls, recurrence_interval_days: float) -> "Rarity":
        """Return the band of a recurrence interval in days."""
        if recurrence_interval_days >= 365:  # noqa: PLR2004 (a year)
            return cls.RARE
        return cls.UNCOMMON if recurrence_interval_days >= 30 else cls.COMMON  # noqa: PLR2004 (a month)


def window_words(start: date, end: date, now: datetime) -> str:
    """Return a window of civil days in words: "in the 2 days to Sat 02:00" while it runs, else its last date.

    ``now`` is rounded down to the hour: the minute of a report could be matched to a single call.
    """
    days = (end - start).days + 1
    length = "day" if days == 1 else f"{days} days"
    if end >= civil_day(now):
        return f"in the {length} to {now.astimezone(LONDON):%a %H}:00"
    return f"in the {length} to {day_words(end)}"


def day_words(day: date) -> str:
    """Return a date as people say it: "Sat 27 Jan 2018"."""
    return f"{day:%a} {day.day} {day:%b %Y}"


# Several counts shown together


@dataclass(frozen=True, slots=True)
class PublishedSet(Generic[Key]):
    """Counts and their total, in words that cannot be subtracted from each other."""

    cells: Mapping[Key, str]
    total: str


def publish_set(cells: Mapping[Key, EventCount], *, total: EventCount) -> PublishedSet[Key]:
    """Return the words for a set of counts and its total, with complementary suppression.

    A reader who adds and subtracts what is shown learns of no suppressed cell more than "1 to 7": while they would,
    the smallest cell still shown is withheld, and when none is left, the total.

    Parameters
    ----------
    cells : mapping
        Counts that do not overlap.
    total : EventCount
        Of all cells together.
    """
    ranges: dict[Key, tuple[int, int] | None] = {key: _range_of(count) for key, count in cells.items()}
    smallest_first = sorted(
        (key for key, count in cells.items() if count.band is CountBand.MORE),
        key=lambda key: (cells[key]._figure, str(key)),  # noqa: SLF001 (this module decides what is withheld)
    )
    whole: tuple[int, int] | None = _range_of(total)
    while whole is not None and _gives_away(ranges.values(), whole):
        if smallest_first:
            ranges[smallest_first.pop(0)] = None
        else:
            whole = None
    return PublishedSet({key: _shown(known) for key, known in ranges.items()}, _shown(whole))


def _shown(known: tuple[int, int] | None) -> str:
    return WITHHELD_WORDS if known is None else words_for(known[1])


def _gives_away(cells: Iterable[tuple[int, int] | None], total: tuple[int, int]) -> bool:
    """Whether the total narrows some suppressed cell below "1 to 7"."""
    known = list(cells)
    lows = sum(low for low, _ in filter(None, known))
    unbounded = any(item is None for item in known)
    highs = sum(high for _, high in filter(None, known))
    for item in known:
        if item != (1, LARGEST_SUPPRESSED):
            continue
        if total[1] - (lows - 1) < LARGEST_SUPPRESSED:
            return True
        if not unbounded and total[0] - (highs - LARGEST_SUPPRESSED) > 1:
            return True
    return False


# One count shown after another


@dataclass(frozen=True, slots=True)
class Scope:
    """What a count is a count of."""

    feed: Feed
    substance_class: SubstanceClass
    areas: frozenset[AreaCode]
    start: date
    end: date

    def holds(self, other: "Scope") -> bool:
        """Whether every event of ``other`` is an event of this one."""
        return (
            self.feed is other.feed
            and self.substance_class in (other.substance_class, SubstanceClass.ANY)
            and self.areas >= other.areas
            and self.start <= other.start
            and other.end <= self.end
        )

    def apart_from(self, other: "Scope") -> bool:
        """Whether no event can be in both."""
        return self.areas.isdisjoint(other.areas) or self.end < other.start or other.end < self.start


@dataclass(frozen=True, slots=True)
class Published:
    """What was said of one scope on one civil day: that its count lies between ``low`` and ``high``."""

    scope: Scope
    low: int
    high: int
    on: date

    @property
    def words(self) -> str:
        """The words that were said."""
        return words_for(self.high)


def publish(count: EventCount, scope: Scope, on: date, before: Iterable[Published]) -> Published | None:
    """Return what may be said of ``count`` today, given what was said before; None if nothing may.

    Said again on the same day, the same scope keeps its words, so that a reader who watches them change cannot tell at
    which event they changed. A count is withheld if subtracting what was said of its parts, or of a whole that it is
    part of, would place the rest within 1 to 7 more closely than "1 to 7".

    Parameters
    ----------
    count, scope
        The count, and what it counts.
    on : date
        The civil day of saying it.
    before : iterable of Published
        Everything said before of the same feed in the same jurisdiction.
    """
    earlier = tuple(before)
    for item in earlier:
        if item.scope == scope and item.on == on:
            return item
    low, high = _range_of(count)
    new = Published(scope, low, high, on)
    parts = _disjoint(item for item in earlier if scope.holds(item.scope) and item.scope != scope)
    wholes = [item for item in earlier if item.scope.holds(scope) and item.scope != scope]
    alone = [[item] for item in earlier if scope.holds(item.scope) and item.scope != scope]
    if any(_pins(new, taken) for taken in [parts, *alone] if taken):
        return None
    if any(_pins(whole, [new]) for whole in wholes):
        return None
    return new


def _disjoint(parts: Iterable[Published]) -> list[Published]:
    """Choose parts that do not overlap, the longest-standing first: together they take the most away."""
    chosen: list[Published] = []
    for part in sorted(
        parts, key=lambda item: (item.on, item.scope.start, item.scope.end, sorted(item.scope.areas))
    ):
        if all(part.scope.apart_from(other.scope) for other in chosen):
            chosen.append(part)
    return chosen


def _pins(whole: Published, taken: Iterable[Published]) -> bool:
    """Whether what is left of ``whole`` is known to be a small count, and more closely than "1 to 7"."""
    parts = tuple(taken)
    low = whole.low - sum(part.high for part in parts)
    high = whole.high - sum(part.low for part in parts)
    return low >= 1 and high <= LARGEST_SUPPRESSED and (low, high) != (1, LARGEST_SUPPRESSED)


def strip_of(counts: Iterable[EventCount]) -> tuple[CountBand, ...]:
    """Return the bands of a run of days: what a chart in a message may show."""
    return tuple(count.band for count in counts)


def strip_gives_away(days: Sequence[EventCount], total: EventCount) -> bool:
    """Whether the bands of these days, shown beside the words for their total, tell a small day too closely.

    Seven days of "1-7" whose total is "fewer than 8" are one event each. A strip beside a total cannot keep every day
    anything from 1 to 7, since two small days under a small total are at most 6; it must leave at least five
    figures possible for each.
    """
    low, high = _range_of(total)
    few = sum(day.band is CountBand.FEW for day in days)
    more = sum(day.band is CountBand.MORE for day in days)
    largest = min(LARGEST_SUPPRESSED, high - (few - 1) - (LARGEST_SUPPRESSED + 1) * more)
    smallest = 1 if more else max(1, low - LARGEST_SUPPRESSED * (few - 1))
    return few > 0 and largest - smallest + 1 < _FIGURES_LEFT


_FIGURES_LEFT: Final = 5
