"""The first detector: more events than usual in an area, around it or in the whole jurisdiction, over 1 to 14 days.

A detection run asks :meth:`AreaCounts.detect` at every look. It turns the scores of ``detectors/scoring.py`` that pass
a threshold into signals, one for each cluster and feed. The caller fills in the evidence (identities, newest moment,
outcome flags), which counts do not know.
"""

from collections.abc import Mapping
from datetime import date, timedelta

from scipy.stats import nbinom

from detectors.baseline import DAYS_BEFORE_PAGING, DAYS_BEFORE_REVIEW
from detectors.budget import AREA_COUNTS, PAGING_FEEDS
from detectors.contract import Look, Past
from detectors.episodes import strongest_tellings
from detectors.scoring import LOWEST_SCORE, Scores, score_day
from detectors.zones import Zone, ZoneKind, Zones
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

_EVENTS: Mapping[Feed, tuple[str, str]] = {
    Feed.SUSPECTED_DEATHS: ("suspected drug death", "suspected drug deaths"),
    Feed.AMBULANCE_NALOXONE: ("ambulance naloxone administration", "ambulance naloxone administrations"),
    Feed.ED_PRESENTATIONS: ("A&E presentation", "A&E presentations"),
    Feed.DRUG_CHECKING: ("drug-checking result", "drug-checking results"),
}
_CLASS_WORDS: Mapping[SubstanceClass, str] = {
    SubstanceClass.ORPHINE: "an orphine or another synthetic opioid",
    SubstanceClass.ALPHA2_SEDATIVE: "an alpha-2 sedative",
    SubstanceClass.UNKNOWN: "an unknown substance",
    SubstanceClass.UNKNOWN_OPIOID: "an unknown opioid",
}
_VOWELS = frozenset("aeiou")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_INTERVAL = (0.025, 0.975)


class AreaCounts:
    """Counts of every zone against the negative-binomial baseline.

    Parameters
    ----------
    zones : Zones
        What counts are pooled over (``detectors.zones.zones_of``).
    """

    name = "area_counts"
    family = AREA_COUNTS

    def __init__(self, zones: Zones) -> None:
        self.zones = zones

    def learn(self, past: Past) -> None:
        """Keep nothing: the baseline is all it knows."""

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first: at most one for each cluster and feed.

        ``newest_evidence_at`` is the start of the window's last day and ``evidence`` is empty: replace them with
        ``signal.model_copy(update=...)`` once the events behind it are known.
        """
        floor = max(look.thresholds.lowest(self.family), LOWEST_SCORE)
        scores = score_day(look.cube, look.baseline, self.zones, look.completeness, floor=floor)
        standing = strongest_tellings(scores, self.zones, look.cube.series)
        signals = (self._signal(look, scores, index) for index in standing)
        return [signal for signal in signals if signal is not None]

    def _signal(self, look: Look, scores: Scores, index: int) -> Signal | None:
        score = float(scores.score[index])
        tier = look.thresholds.disposition(self.family, score)
        if tier is None:
            return None
        series = int(scores.series[index])
        feed, substance_class = look.cube.series[series]
        zone = self.zones.zones[int(scores.zone[index])]
        days = int(scores.window_days[index])
        observed, expected, size = (
            int(scores.observed[index]),
            float(scores.expected[index]),
            float(scores.size[index]),
        )
        low, high = (float(nbinom.ppf(share, size, size / (size + expected))) for share in _INTERVAL)
        history_days = int(look.baseline.history_days[series])
        allowed, because = most_allowed(tier, feed, history_days)
        recurrence = look.thresholds.recurrence(self.family, score, may_page=feed in PAGING_FEEDS)
        sentence = sentence_for(zone, feed, substance_class, observed, expected, days, look.today, look.names)
        return Signal(
            jurisdiction=look.jurisdiction,
            detector=self.name,
            family=self.family,
            key=f"{feed}:{substance_class}:{zone.key}",
            areas=zone.codes,
            window_start=look.today - timedelta(days=days - 1),
            window_end=look.today,
            feeds=(FeedEvidence(feed=feed, observed=observed, expected=expected),),
            substance_class=substance_class,
            observed=observed,
            expected=expected,
            interval=(low, high),
            p_value=float(scores.p_value[index]),
            recurrence_interval_days=recurrence.days,
            tier=allowed,
            newest_evidence_at=start_of_day(look.today, look.zone),
            parameters={
                "score": round(score, 4),
                "zone": zone.kind.value,
                "window_days": days,
                "size": round(size, 6),
                "history_days": history_days,
                "held_from": tier.value if allowed is not tier else "",
                "recurrence_extrapolated": recurrence.extrapolated,
                "recurrence_capped": recurrence.capped,
            },
            model_version=look.baseline.model_version,
            sentence=sentence + because,
        )


def most_allowed(tier: Tier, feed: Feed, history_days: int) -> tuple[Tier, str]:
    """The tier that a signal may ask for, and a sentence that says why when that is less than its score reached.

    No page before a feed has 8 weeks of history, no review before 2. Samples alone never page: nobody was harmed yet,
    and the watch list has its own tripwire.
    """
    if history_days < DAYS_BEFORE_REVIEW and tier is not Tier.RECORD:
        return Tier.RECORD, f" This feed has only {history_days} days of history here: recorded only."
    if tier is Tier.PAGE and history_days < DAYS_BEFORE_PAGING:
        return Tier.REVIEW, f" This feed has only {history_days} days of history here: too few to page."
    if tier is Tier.PAGE and feed not in PAGING_FEEDS:
        return Tier.REVIEW, " Samples alone do not page."
    return tier, ""


def sentence_for(
    zone: Zone,
    feed: Feed,
    substance_class: SubstanceClass,
    observed: int,
    expected: float,
    days: int,
    today: date,
    names: Mapping[AreaCode, str],
) -> str:
    """One plain sentence with the true numbers: inside use only."""
    place = names.get(zone.centre, zone.centre)
    if zone.kind is ZoneKind.AROUND:
        near = [names.get(code, code) for code in zone.codes if code != zone.centre]
        place = f"{place} with {_listed(near)}"
    events = _EVENTS[feed][observed != 1] + _class_phrase(feed, substance_class)
    last = f"{_WEEKDAYS[today.weekday()]} {today.day} {_MONTHS[today.month - 1]} {today.year}"
    when = f"in the {days} days to {last}" if days > 1 else f"on {last}"
    return f"{place}: {observed} {events} {when} where {plain_number(expected)} would be usual."


def plain_number(value: float) -> str:
    """A number as a person would say it: one decimal below 10, none above, "fewer than 0.1" for next to nothing."""
    if round(value, 1) < 0.1:  # noqa: PLR2004 (the smallest figure with one decimal)
        return "fewer than 0.1"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"  # noqa: PLR2004 (rounds to 10)


def _class_phrase(feed: Feed, name: SubstanceClass) -> str:
    if name is SubstanceClass.ANY:
        return ""
    plain = name.value.replace("_", " ")
    words = _CLASS_WORDS.get(name, f"{'an' if plain[0] in _VOWELS else 'a'} {plain}")
    if feed is Feed.DRUG_CHECKING:
        return f" with {words} detected"
    return f" with {words} suspected"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
