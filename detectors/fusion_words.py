"""What a cluster of several feeds is called in one plain sentence with the true numbers: inside use only."""

from collections.abc import Mapping
from datetime import date

from detectors.area_counts import plain_number
from detectors.effects import PROFILES
from detectors.fusion_search import Telling
from detectors.sightings import FEEDS
from detectors.zones import ZoneKind
from schemas.geography import AreaCode
from schemas.vocabulary import Feed

_EVENTS: Mapping[Feed, tuple[str, str]] = {
    Feed.SUSPECTED_DEATHS: ("suspected drug death", "suspected drug deaths"),
    Feed.AMBULANCE_NALOXONE: ("ambulance naloxone", "ambulance naloxone"),
    Feed.ED_PRESENTATIONS: ("A&E", "A&E"),
    Feed.DRUG_CHECKING: ("drug-checking result", "drug-checking results"),
}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMED_AREAS = 3


def sentence_for(telling: Telling, today: date, names: Mapping[AreaCode, str]) -> str:
    """Return the sentence: place, what each feed holds and would usually hold, what it fits, about how many people."""
    feeds = [row for row in range(len(FEEDS)) if telling.counts[row]]
    seen = [f"{telling.counts[row]} {_EVENTS[FEEDS[row]][telling.counts[row] != 1]}" for row in feeds]
    usual = [plain_number(telling.expected[row]) for row in feeds]
    last = f"{_WEEKDAYS[today.weekday()]} {today.day} {_MONTHS[today.month - 1]} {today.year}"
    when = f"in the {telling.window_days} days to {last}" if telling.window_days > 1 else f"on {last}"
    chance = telling.probabilities[telling.profile]
    return (
        f"{_place(telling, names)}: {_listed(seen)} {when} where {_listed(usual)} would be usual; "
        f"fits {PROFILES[telling.profile].words} ({100 * chance:.0f} %); about {telling.people:.0f} people."
    )


def _place(telling: Telling, names: Mapping[AreaCode, str]) -> str:
    called = [names.get(code, code) for code in telling.codes]
    if telling.zone == ZoneKind.ALL:
        return called[0]
    if len(called) > _NAMED_AREAS:
        place = f"{names.get(telling.main, telling.main)} and {len(called) - 1} other areas"
    else:
        place = _listed(called)
    if telling.n_fine and telling.radius_km:
        return f"{place} (within {max(telling.radius_km, 0.1):.1f} km)"
    return f"{place} (one small area)" if telling.n_fine else place


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
