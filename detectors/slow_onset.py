"""Slow onset: the last quarter of a year against the same quarter of earlier years, all of them frozen a year ago.

A drift of 5 % a month never stands out from the weeks before it: a trend term explains it and a moving baseline follows
it. Compared with a baseline that ends a year ago it is plain. A detection run asks :class:`SlowOnset`, which computes
once a week; backtests call :func:`slow_onset`. It must never page: what has grown for months is a note for the next
working day, and a change of definition looks the same.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
from pydantic import JsonValue

from detectors.area_counts import sentence_for
from detectors.completeness import checked, share_known
from detectors.contract import Look, Past
from detectors.count_series import FloatArray, IntArray
from detectors.episodes import Alarm
from detectors.frozen_comparison import Onset, slow_onset
from detectors.frozen_quarters import RECENT_WEEKS
from detectors.scoring import HIGHEST_SCORE, LOWEST_SCORE
from detectors.zones import Zone, ZoneKind, Zones
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.overlap import classes_overlap
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

__all__ = ["SLOW_ONSET", "Onset", "SlowOnset", "slow_onset"]

SLOW_ONSET = "slow_onset"
MODEL_VERSION = "slow-onset-1"

_WEEK = 7
_DAYS = RECENT_WEEKS * _WEEK
_FRESH_DAYS = 13
"""What was learnt is told for the week it was learnt for, and a week longer if the next has not been learnt yet."""


class SlowOnset:
    """The slow rises of every feed and class, in every area and in the whole jurisdiction.

    :meth:`learn` judges the quarter that ended with last week; :meth:`detect` tells it all week, under the same
    identity, as a review at most. Of several tellings of one rise in a feed the strongest stands.

    Parameters
    ----------
    zones : Zones
        The areas and the name of the whole jurisdiction (pooling areas with their neighbours is left to the faster
        detectors).
    """

    name = SLOW_ONSET
    family = SLOW_ONSET

    def __init__(self, zones: Zones) -> None:
        self.zones = zones

    def learn(self, past: Past) -> JsonValue:
        """Return last week's date and every rise whose mid-p is at most 1 %, strongest first."""
        cube = past.cube
        if cube.areas != self.zones.areas:
            raise ValueError("cube must be of the same areas as the zones")
        cube.refuse_negative()
        n_weeks = cube.n_days // _WEEK
        days = cube.counts[:, cube.n_days - n_weeks * _WEEK :].astype(np.int64)
        weekly = (
            days.reshape(len(cube.series), n_weeks, _WEEK, len(cube.areas) + 1).sum(axis=2).transpose(0, 2, 1)
        )
        rises: list[dict[str, JsonValue]] = []
        if n_weeks:
            first, known = self._history(past, weekly)
            row, column = np.nonzero(weekly[:, :, -RECENT_WEEKS:].sum(axis=2))
            found = slow_onset(
                weekly[row, column],
                weeks=[n_weeks - 1],
                first_week=first[row],
                known=known[row],
            )
            score = np.minimum(
                -np.log10(np.maximum(found.p_value[:, 0], 10.0**-HIGHEST_SCORE)), HIGHEST_SCORE
            )
            # NaN where nothing is known yet: left out by the comparison.
            kept = np.flatnonzero((score >= LOWEST_SCORE) & (found.statistic[:, 0] > 1.0))
            for at in kept[np.lexsort((column[kept], row[kept], -score[kept]))]:
                feed, name = cube.series[row[at]]
                rises.append(
                    {
                        "feed": feed.value,
                        "substance_class": name.value,
                        "area": cube.areas[column[at]] if column[at] < len(cube.areas) else None,
                        "observed": int(found.observed[at, 0]),
                        "expected": round(float(found.expected[at, 0]), 9),
                        "size": round(float(found.size[at, 0]), 9),
                        "p_value": float(found.p_value[at, 0]),
                        "low": float(found.low[at, 0]),
                        "high": float(found.high[at, 0]),
                        "years": int(found.years[at, 0]),
                        "score": round(float(score[at]), 9),
                    }
                )
        return {"until": cube.last_day.isoformat(), "rises": cast(JsonValue, _standing(rises))}

    def detect(self, look: Look) -> list[Signal]:
        """Return the rises that reach a threshold, strongest first.

        ``newest_evidence_at`` is the start of the quarter's last day and ``evidence`` is empty, as for area counts.
        """
        until, rises = self._standing_rises(look)
        signals = (self._signal(look, until, rise) for rise in rises)
        return [signal for signal in signals if signal is not None]

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        """Return the same rises as calibration counts them; ``day`` is the index of the look's day."""
        bits = {code: 1 << index for index, code in enumerate(self.zones.areas)}
        every = (1 << max(len(self.zones.areas), 1)) - 1
        _, rises = self._standing_rises(look)
        return [
            Alarm(
                day,
                _DAYS,
                rise["score"],
                bits.get(rise["area"], every),
                SubstanceClass(rise["substance_class"]),
                may_page=False,
            )
            for rise in rises
        ]

    def _standing_rises(self, look: Look) -> tuple[date, list[dict[str, Any]]]:
        """Return the last day that was learnt from, and its rises while they are fresh."""
        learnt = look.learnt.get(self.name)
        if learnt is None:
            return look.today, []
        state = cast(dict[str, Any], learnt)
        until = date.fromisoformat(state["until"])
        fresh = 0 <= (look.today - until).days <= _FRESH_DAYS
        return until, state["rises"] if fresh else []

    def _history(self, past: Past, weekly: IntArray) -> tuple[IntArray, FloatArray]:
        """Return the first whole week of each series' feed as it is now, and the share known of each of its weeks."""
        series, n_weeks = past.cube.series, weekly.shape[2]
        feeds = tuple(dict.fromkeys(feed for feed, _ in series))
        laws = checked(past.completeness, feeds)
        ages = np.arange(n_weeks * _WEEK)[::-1]
        first = np.full(len(series), n_weeks, dtype=np.int64)
        known = np.ones((len(series), n_weeks))
        for feed in feeds:
            rows = [index for index, one in enumerate(series) if one[0] is feed]
            began = np.flatnonzero(weekly[rows, -1].any(axis=0))
            # The week in which a feed begins is seldom whole.
            start = int(began[0]) + 1 if began.size else n_weeks
            # What a feed counted under another definition says nothing of this one.
            shift = past.baseline.declared.last_shift(feed, past.cube.last_day)
            if shift is not None:
                days_since = (past.cube.last_day - shift).days + 1
                start = max(start, n_weeks - days_since // _WEEK)
            first[rows] = min(start, n_weeks)
            known[rows] = np.maximum(share_known(laws[feed], ages).reshape(n_weeks, _WEEK).mean(axis=1), 1e-6)
        return first, known

    def _signal(self, look: Look, until: date, rise: Mapping[str, Any]) -> Signal | None:
        tier = look.thresholds.disposition(self.family, rise["score"])
        if tier is None:
            return None
        feed, name = Feed(rise["feed"]), SubstanceClass(rise["substance_class"])
        place = AreaCode(rise["area"]) if rise["area"] is not None else self.zones.root
        kind = ZoneKind.ALL if rise["area"] is None else ZoneKind.AREA
        zone = Zone(kind, place, (place,))
        observed, expected = rise["observed"], rise["expected"]
        told = sentence_for(zone, feed, name, observed, expected, _DAYS, until, look.names)
        judged = (
            f"judged by the same weeks of {rise['years']} earlier years"
            if rise["years"]
            else "judged by all weeks up to a year ago, season unknown"
        )
        recurrence = look.thresholds.recurrence(self.family, rise["score"])
        return Signal(
            jurisdiction=look.jurisdiction,
            detector=self.name,
            family=self.family,
            key=f"{feed}:{name}:{zone.key}",
            areas=zone.codes,
            window_start=until - timedelta(days=_DAYS - 1),
            window_end=until,
            feeds=(FeedEvidence(feed=feed, observed=observed, expected=expected),),
            substance_class=name,
            observed=observed,
            expected=expected,
            interval=(rise["low"], rise["high"]),
            p_value=rise["p_value"],
            recurrence_interval_days=recurrence.days,
            tier=Tier.REVIEW if tier is Tier.PAGE else tier,
            newest_evidence_at=start_of_day(until, look.zone),
            parameters={
                "score": round(rise["score"], 4),
                "zone": kind.value,
                "window_days": _DAYS,
                "size": round(rise["size"], 6),
                "rate_ratio": round(observed / expected, 4),
                "frozen_years": rise["years"],
                "held_from": tier.value if tier is Tier.PAGE else "",
                "recurrence_extrapolated": recurrence.extrapolated,
                "recurrence_capped": recurrence.capped,
            },
            model_version=MODEL_VERSION,
            sentence=f"{told.removesuffix('.')}, {judged}: a slow rise.",
        )


def _standing(rises: list[dict[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """Return those that no stronger one of the same feed, place and class already tells."""
    standing: list[dict[str, JsonValue]] = []
    for rise in rises:
        for other in standing:
            place = rise["area"] is None or other["area"] is None or rise["area"] == other["area"]
            names = (SubstanceClass(str(item["substance_class"])) for item in (rise, other))
            if rise["feed"] == other["feed"] and place and classes_overlap(*names):
                break
        else:
            standing.append(rise)
    return standing
