"""Farrington flexible on weekly counts, for the Kent benchmark: looked at on Sundays, over the week that ends.

As health departments run it: each district and the county, each feed in which people are harmed. The week before is
judged again, since some of its records came late. It is given as many past years as there are. The tuned
version scores by the exact p-value and has no "at least 5 cases in 4 weeks" rule, which would silence the districts.
"""

import numpy as np

from benchmarks.kent_systems import CASUALTY_FEEDS, Day, Rule, Telling
from detectors.farrington import farrington_flexible
from schemas.substances import SubstanceClass

WEEKS_A_YEAR, HALF_WINDOW = 52, 3
MOST_YEARS = 5
JUDGED_WEEKS = 2
FLOOR_P = 0.05
_SUNDAY = 6
_NO_LIMIT = (0, 4)


class FarringtonWeekly(Rule):
    """Farrington flexible, parity mode."""

    name = "Farrington flexible weekly"

    def look(self, day: Day) -> list[Telling]:
        """Return, on a Sunday, the weeks with small p-values; nothing on other days."""
        cube = day.cube
        if cube.last_day.weekday() != _SUNDAY:
            return []
        weeks = cube.n_days // 7
        rows = [cube.series.index((feed, SubstanceClass.ANY)) for feed in CASUALTY_FEEDS]
        daily = cube.counts[rows, cube.n_days - 7 * weeks :].astype(np.int64)
        n_feeds, _, n_columns = daily.shape
        counts = daily.reshape(n_feeds, weeks, 7, n_columns).sum(axis=2).transpose(0, 2, 1).reshape(-1, weeks)
        judged = np.arange(weeks - JUDGED_WEEKS, weeks)
        years = min((weeks - JUDGED_WEEKS - HALF_WINDOW) // WEEKS_A_YEAR, MOST_YEARS)
        free = farrington_flexible(counts, judged, b=years, w=HALF_WINDOW, limit_54=_NO_LIMIT, parallel=False)
        stock = farrington_flexible(counts, judged, b=years, w=HALF_WINDOW, parallel=False).alarm
        p_value = np.where(np.isfinite(free.p_exact), free.p_exact, 1.0)
        score = -np.log10(np.maximum(p_value, 1e-300))
        last = n_columns - 1
        found = []
        for row in np.flatnonzero((p_value <= FLOOR_P).any(axis=1) | stock.any(axis=1)):
            feed, column = divmod(int(row), n_columns)
            best = int(score[row].argmax())
            found.append(
                Telling(
                    day=day.today,
                    window_days=7 * (JUDGED_WEEKS - best),
                    score=float(score[row, best]),
                    family=f"{CASUALTY_FEEDS[feed]}:{'county' if column == last else 'district'}",
                    areas=(1 << last) - 1 if column == last else 1 << column,
                    stock=bool(stock[row].any()),
                )
            )
        return found
