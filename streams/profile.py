"""What the event path knows about one jurisdiction: its geography, time zone and how each feed is counted.

Made by the wiring from settings; read by intake, counting and detection. It never changes while a process runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from schemas.clock import LONDON
from schemas.events import NO_FIXED_ABODE, OUTSIDE, UNKNOWN_AREA, Areas
from schemas.geography import AreaCode, Geography
from schemas.vocabulary import Feed, Jurisdiction

_NO_PLACE = frozenset({UNKNOWN_AREA, NO_FIXED_ABODE, OUTSIDE})


@dataclass(frozen=True)
class FeedProfile:
    """How one feed is counted."""

    counted_areas: tuple[str, ...]
    """Which of ``event``, ``residence`` and ``site`` says where it counts: the first that is known."""
    completeness: tuple[float, ...]
    """Prior share of events known by the end of the civil day 0, 1, 2 ... days after they happened; then all."""
    unnamed_class: str = "unknown"
    """The class of an event of this feed that names no substance."""


DEFAULT_FEEDS: Mapping[Feed, FeedProfile] = {
    Feed.SUSPECTED_DEATHS: FeedProfile(("event", "residence"), (0.3, 0.7, 0.9, 0.97)),
    Feed.AMBULANCE_NALOXONE: FeedProfile(
        ("event", "residence"), (0.6, 0.9, 0.98), unnamed_class="unknown_opioid"
    ),
    Feed.ED_PRESENTATIONS: FeedProfile(("residence", "event"), (0.8, 0.97)),
    Feed.DRUG_CHECKING: FeedProfile(("event", "site"), (0.6, 0.8, 0.9, 0.95)),
}
"""The delays are planning figures (see the reporting delays in docs/explanation/detection.md); each week's fit moves
them towards what this jurisdiction's own feeds show."""


@dataclass(frozen=True)
class JurisdictionProfile:
    """One jurisdiction, as the event path sees it."""

    jurisdiction: Jurisdiction
    name: str
    geography: Geography
    zone: ZoneInfo = LONDON
    feeds: Mapping[Feed, FeedProfile] = field(default_factory=lambda: dict(DEFAULT_FEEDS))
    holiday_country: str = "GB"
    holiday_subdivision: str | None = "ENG"
    level_shifts: tuple[tuple[Feed, date], ...] = ()
    """The days from which a feed counts something else, as people declared them (``detectors.declared.LevelShift``)."""

    def counted_area(self, feed: Feed, areas: Areas) -> AreaCode:
        """Return where an event counts: the first known of the feed's areas, or the root when none is known."""
        for name in self.feeds[feed].counted_areas:
            code: str = getattr(areas, name)
            if code not in _NO_PLACE:
                return AreaCode(code)
        return self.geography.root

    def unknown_codes(self, areas: Areas) -> tuple[str, ...]:
        """Return the names of the areas (``event``, ``residence``, ``site``) whose code this geography lacks."""
        return tuple(
            name
            for name in ("event", "residence", "site")
            if (code := getattr(areas, name)) not in _NO_PLACE and self.geography.get(AreaCode(code)) is None
        )
