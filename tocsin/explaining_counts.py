"""The arithmetic behind a signal of counts, done again: every window, the history behind it, and what else was there.

For ``tocsin/explaining.py``. Everything comes from a look made again as it was (``tocsin/looking_back.py``) and from the
very functions that a detection run uses; nothing here has a formula of its own for what a window expects.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, nbinom

from detectors.area_counts import plain_number
from detectors.baseline import DAYS_BEFORE_PAGING, DAYS_BEFORE_REVIEW, ModelSettings
from detectors.completeness import first_useful_age, share_known
from detectors.contract import Look, Past
from detectors.feed_fit import training_window
from detectors.history import CountCube
from detectors.scoring import FEWEST, LOWEST_SCORE, mid_p, score_day
from detectors.sensitivity import Expectations, expectations, scores_of
from detectors.zones import Zone, ZoneKind, Zones
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

Json = dict[str, Any]

WEEKS_SHOWN = 52
DAYS_SHOWN = 56
_ALTERNATIVES = 12
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Ground:
    """A signal's place among the zones, and what every window expects there."""

    signal: Signal
    look: Look
    past: Past
    zones: Zones
    zone: int
    found: Expectations

    @property
    def columns(self) -> NDArray[np.bool_]:
        """Which columns of a cube the place is the sum of."""
        mask: NDArray[np.bool_] = self.zones.members[:, self.zone] > 0
        return mask

    def row(self, feed: Feed) -> int | None:
        """Return the series that comes nearest to what the signal says of a feed; None where the feed has none.

        That of the signal's class; or ``any`` where a detector that puts classes together counted more than that.
        """
        told = next((item.observed for item in self.signal.feeds if item.feed is feed), 0)
        series = self.look.cube.series
        rows = [
            series.index((feed, name))
            for name in dict.fromkeys((self.signal.substance_class, SubstanceClass.ANY))
            if (feed, name) in series
        ]
        days = (self.signal.window_end - self.signal.window_start).days + 1
        return min(
            rows,
            key=lambda row: abs(int(self.counts(self.look.cube, row)[-days:].sum()) - told),
            default=None,
        )

    def class_of(self, feed: Feed) -> str:
        """Return the class of that series."""
        row = self.row(feed)
        return self.signal.substance_class.value if row is None else self.look.cube.series[row][1].value

    def counts(self, cube: CountCube, row: int) -> NDArray[np.int_]:
        """Return the place's count of each day of a cube."""
        daily: NDArray[np.int_] = cube.counts[row][:, self.columns].sum(axis=1)
        return daily

    def expected(self, row: int, first_day: date, n_days: int) -> NDArray[np.float64]:
        """Return what each day expects in the place, of what is known of it by today."""
        daily = self.look.baseline.expected(first_day, n_days)[row][:, self.columns].sum(axis=1)
        ages = np.array([(self.look.today - first_day).days - day for day in range(n_days)])
        law = self.look.completeness.get(self.look.cube.series[row][0], np.ones(1))
        known: NDArray[np.float64] = daily * share_known(np.asarray(law), np.maximum(ages, 0))
        return known


def ground_of(signal: Signal, look: Look, past: Past, zones: Zones) -> Ground:
    """Find a signal's areas among the zones; areas that are none of them become a zone of their own."""
    codes = [zone.codes for zone in zones.zones]
    if signal.areas not in codes:
        zones = _with_zone(zones, signal.areas)
        codes = [zone.codes for zone in zones.zones]
    place = codes.index(signal.areas)
    found = expectations(look.baseline, zones, look.completeness, look.today)
    return Ground(signal, look, past, zones, place, found)


def _with_zone(zones: Zones, areas: tuple[AreaCode, ...]) -> Zones:
    members = np.zeros((zones.members.shape[0], 1))
    columns = [index for index, code in enumerate(zones.areas) if code in areas]
    members[columns or [-1], 0] = 1.0
    zone = Zone(ZoneKind.AROUND if len(areas) > 1 else ZoneKind.AREA, areas[0], areas)
    mask = sum(1 << column for column in columns) or zones.masks[-1]
    return Zones(
        zones.areas,
        zones.root,
        (*zones.zones, zone),
        np.hstack([zones.members, members]),
        (*zones.masks, mask),
    )


def windows(ground: Ground, feed: Feed) -> list[Json]:
    """Return every window of the signal's place and class in one feed, and which of them won."""
    row = ground.row(feed)
    if row is None:
        return []
    daily = ground.counts(ground.look.cube, row)[::-1].cumsum()
    days = ground.found.window_days[row]
    observed = daily[np.minimum(days, daily.size) - 1].astype(np.int_)
    expected, size = (getattr(ground.found, name)[row, :, ground.zone] for name in ("expected", "size"))
    p_value = mid_p(observed, expected, size)
    scores = scores_of(
        observed, expected, size, np.broadcast_to(ground.found.handicap[row, ground.zone], size.shape)
    )
    worth = np.where(observed >= FEWEST, scores, -np.inf)
    best = int(worth.argmax())
    return [
        {
            "days": int(days[index]),
            "first_day": (ground.look.today - timedelta(days=int(days[index]) - 1)).isoformat(),
            "observed": int(observed[index]),
            "expected": float(expected[index]),
            "interval": _interval(float(expected[index]), float(size[index])),
            "p_value": float(p_value[index]),
            "score": float(scores[index]),
            "won": index == best and bool(np.isfinite(worth[best])),
        }
        for index in range(days.size)
    ]


def _interval(mean: float, size: float) -> list[float]:
    return [float(nbinom.ppf(share, size, size / (size + mean))) for share in _INTERVAL]


def history(ground: Ground, feed: Feed, settings: ModelSettings | None = None) -> Json | None:
    """Return what the baseline of the signal's class in one feed was learnt from, and what it says."""
    row = ground.row(feed)
    if row is None:
        return None
    baseline, cube = ground.look.baseline, ground.past.cube
    shape, rate = float(baseline.level_shape[row]), float(baseline.level_rate[row])
    law = np.asarray(ground.look.completeness.get(feed, np.ones(1)))
    history_days = int(baseline.history_days[row])
    chosen = settings or ModelSettings()
    taught = training_window(
        cube,
        np.array([index for index, series in enumerate(cube.series) if series[0] is feed]),
        law,
        guard_days=chosen.guard_days,
        most_training_days=chosen.most_training_days,
        shift=baseline.declared.last_shift(feed, cube.last_day),
    )
    first, last, since = (
        (cube.first_day + timedelta(days=day)).isoformat() if taught.n_days else None
        for day in (taught.start, taught.end - 1, taught.since)
    )
    whole = ground.zones.zones[ground.zone].kind is ZoneKind.ALL
    columns = ground.columns[:-1]
    n_days = min(7 * WEEKS_SHOWN, cube.n_days)
    begin = cube.last_day - timedelta(days=n_days - 1)
    observed = ground.counts(cube.recent(n_days), row)
    usual = ground.expected(row, begin, n_days)
    weeks = range(n_days % 7, n_days, 7)
    return {
        "feed": feed.value,
        "history_days": history_days,
        "pages_from_history_days": DAYS_BEFORE_PAGING,
        "reviews_from_history_days": DAYS_BEFORE_REVIEW,
        "training_days": taught.n_days,
        "training_first_day": first,
        "training_last_day": last,
        "level_since": since,
        "model_version": baseline.model_version,
        "known_until": baseline.known_until.isoformat(),
        "level_per_day": shape / rate,
        "level_interval": [float(gamma.ppf(share, shape, scale=1 / rate)) for share in _INTERVAL],
        "half_life_weeks": float(baseline.half_life_weeks[row]),
        "dispersion": float((baseline.dispersion_total if whole else baseline.dispersion)[row]),
        "share_of_jurisdiction": 1.0 if whole else float(baseline.shares[row][columns].sum()),
        "completeness": [round(float(value), 6) for value in law],
        "first_useful_age": first_useful_age(law),
        "weekly": [
            {
                "week_from": (begin + timedelta(days=start)).isoformat(),
                "count": int(observed[start : start + 7].sum()),
                "expected": float(usual[start : start + 7].sum()),
            }
            for start in weeks
        ],
    }


def days(ground: Ground) -> list[Json]:
    """Return the last weeks of the signal's place and class, all its feeds together: what a chart shows.

    Recent days are as the look saw them; the ones before it are as they were known when the week began.
    """
    rows = [row for feed in ground.signal.feed_names if (row := ground.row(feed)) is not None]
    first = ground.look.today - timedelta(days=DAYS_SHOWN - 1)
    total, expected = np.zeros(DAYS_SHOWN, dtype=np.int_), np.zeros(DAYS_SHOWN)
    for row in rows:
        seen = np.zeros(DAYS_SHOWN, dtype=np.int_)
        for cube in (ground.past.cube, ground.look.cube):
            counts = ground.counts(cube, row)
            place = (cube.first_day - first).days + np.arange(cube.n_days)
            shown = (place >= 0) & (place < DAYS_SHOWN)
            seen[place[shown]] = counts[shown]
        total += seen
        expected += ground.expected(row, first, DAYS_SHOWN)
    return [
        {
            "day": (day := first + timedelta(days=index)).isoformat(),
            "count": int(total[index]),
            "expected": float(expected[index]),
            "in_window": ground.signal.window_start <= day <= ground.signal.window_end,
        }
        for index in range(DAYS_SHOWN)
    ]


def alternatives(ground: Ground, names: Mapping[AreaCode, str]) -> list[Json]:
    """Return the other places and classes that the counts of that day spoke of, the strongest first."""
    look = ground.look
    scores = score_day(look.cube, look.baseline, ground.zones, look.completeness, floor=LOWEST_SCORE)
    return list(_told(ground, scores, names))[:_ALTERNATIVES]


def _told(ground: Ground, scores: Any, names: Mapping[AreaCode, str]) -> Iterator[Json]:  # noqa: ANN401 (Scores)
    for index in range(len(scores)):
        feed, name = ground.look.cube.series[int(scores.series[index])]
        zone = ground.zones.zones[int(scores.zone[index])]
        itself = (
            feed in ground.signal.feed_names
            and name is ground.signal.substance_class
            and zone.codes == ground.signal.areas
        )
        yield {
            "zone": zone.key,
            "place": place_words(zone.codes, names),
            "feed": feed.value,
            "substance_class": name.value,
            "window_days": int(scores.window_days[index]),
            "observed": int(scores.observed[index]),
            "expected": float(scores.expected[index]),
            "p_value": float(scores.p_value[index]),
            "score": float(scores.score[index]),
            "is_this_signal": itself,
        }


def place_words(codes: tuple[AreaCode, ...], names: Mapping[AreaCode, str]) -> str:
    """Return some areas as a phrase: at most three names, then how many more."""
    known = [names.get(code, code) for code in codes]
    if len(known) > 4:  # noqa: PLR2004 (a line is short)
        return f"{', '.join(known[:3])} and {len(known) - 3} more"
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"


def expected_words(value: float) -> str:
    """Return an expected count as people read it."""
    return plain_number(value)
