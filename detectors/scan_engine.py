"""A scan set up once and put to many looks: what is expected in which circles, and which kernel answers fastest.

``detectors/scan.py`` sets up one :class:`Study` for a call; benchmarks and calibration, which look at every day of long
histories, set up one for all of them. It holds arrays, draws nothing and knows no dates.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import exclusively
from detectors.scan_centres import best_of_centres
from detectors.scan_critical import critical_counts
from detectors.scan_kernels import best_of_looks
from detectors.scan_statistics import BINOMIAL, CONDITIONAL
from detectors.scan_zones import Neighbours

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]
Counts = NDArray[np.floating]

EXACT_IN_SINGLE = 2**20
"""Totals up to this many events may be looked at in single precision: every whole number is exact, every bound close."""

_WORTH_A_TABLE = 64
"""From this many looks a table of critical counts is sooner ready than it is missed."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The best circle and window of each look; every array has the shape (n_looks,).

    ``score`` is 0 (or the floor asked for) and the rest -1, -1, 0 where nothing exceeded it.
    """

    score: FloatArray
    centre: IndexArray
    size: IndexArray
    days: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Circles, expected counts and the statistic.

    Attributes
    ----------
    neighbours : Neighbours
    kind : int
        One of ``scan_statistics``' constants.
    mean, second : ndarray of float64, shape (n_feeds, n_areas, n_windows)
        Expected count of the last 1, 2, ... days, as a share of the total for conditional statistics; and variance less
        mean (negative binomial) or people (binomial).
    zone_penalty, window_penalty : ndarray of float64, shape (n_zones,), (n_windows,)
        Subtracted from a zone's ratio before it is compared: see :func:`scale_penalty`.
    """

    neighbours: Neighbours
    kind: int
    mean: FloatArray
    second: FloatArray
    zone_penalty: FloatArray
    window_penalty: FloatArray

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The number of each centre's first zone."""
        sizes = self.neighbours.sizes.astype(np.int64)
        return np.cumsum(sizes) - sizes

    def best_of(self, looks: Counts, totals: FloatArray | None = None, *, floor: float = 0.0) -> Found:
        """Find each look's best circle and window.

        Parameters
        ----------
        looks : ndarray of float32 or float64, shape (n_looks, n_feeds, n_areas, n_windows)
            Counts of the last 1, 2, ... days. Single precision is for totals up to ``EXACT_IN_SINGLE``.
        totals : ndarray of float64, shape (n_looks, n_feeds), optional
            Cases of each look's whole study; only for conditional statistics.
        floor : float
            Scores up to this are not told apart, which saves time: thresholds lie far above most maxima.
        """
        looks = np.ascontiguousarray(looks)
        n_looks, n_feeds = looks.shape[:2]
        scale = np.ones((n_looks, n_feeds)) if totals is None else np.maximum(totals, 1e-9)
        score, where = np.full(n_looks, max(floor, 0.0)), np.full((n_looks, 3), -1, dtype=np.int32)
        with exclusively():
            if n_feeds == 1 and n_looks >= _WORTH_A_TABLE and self._table_fits(scale):
                if floor <= 0.0:
                    # Most maxima lie above the least of some: whatever does not reach that is looked at once more.
                    some = slice(0, _WORTH_A_TABLE // 2)
                    self._run(looks[some], scale[some], None, score[some], where[some])
                    level = 0.9 * float(score[some].min())
                else:
                    some, level = slice(0, 0), floor
                rest = slice(some.stop, None)
                table = self._critical(float(scale[0, 0]), level)
                self._run(looks[rest], scale[rest], table, score[rest], where[rest])
                missed = np.flatnonzero(where[:, 0] < 0) if floor <= 0.0 else np.zeros(0, dtype=np.intp)
                if missed.size:
                    again, places = score[missed], where[missed]
                    self._run(looks[missed], scale[missed], None, again, places)
                    score[missed], where[missed] = again, places
            else:
                self._run(looks, scale, None, score, where)
        return Found(score, where[:, 0], where[:, 1] + 1, where[:, 2] + 1)

    def best_of_centres(
        self,
        look: FloatArray,
        totals: FloatArray,
        limits: IndexArray,
        wanted: NDArray[np.bool_],
        score: FloatArray,
        where: IndexArray,
    ) -> None:
        """Bring ``score`` and ``where`` of the wanted centres up to date, within each centre's limit."""
        neighbours = self.neighbours
        with exclusively():
            best_of_centres(
                look, neighbours.order, limits, self.offsets, self.mean, self.second, totals, self.kind,
                self.zone_penalty, self.window_penalty, wanted, score, where,
            )  # fmt: skip

    def of_feed(self, feed: int) -> "Study":
        """Return the same study of one feed."""
        return replace(self, mean=self.mean[feed : feed + 1], second=self.second[feed : feed + 1])

    def _table_fits(self, scale: FloatArray) -> bool:
        return self.kind != BINOMIAL and bool((scale == scale[0, 0]).all())

    def _critical(self, total: float, level: float) -> NDArray[np.float32]:
        neighbours = self.neighbours
        table = np.empty((neighbours.n_zones, self.mean.shape[2]), dtype=np.float32)
        critical_counts(
            neighbours.order, neighbours.sizes, self.offsets, self.mean[0], self.second[0], total, self.kind,
            self.zone_penalty, self.window_penalty, level, table,
        )  # fmt: skip
        return table

    def _run(
        self,
        looks: Counts,
        scale: FloatArray,
        table: NDArray[np.float32] | None,
        score: FloatArray,
        where: IndexArray,
    ) -> None:
        neighbours = self.neighbours
        empty = np.zeros((0, 0), dtype=np.float32)
        best_of_looks(
            looks, neighbours.order, neighbours.sizes, self.offsets, self.mean, self.second, scale, self.kind,
            self.zone_penalty, self.window_penalty, empty if table is None else table, score, where,
        )  # fmt: skip


def study_of(
    neighbours: Neighbours,
    kind: int,
    mean: FloatArray,
    second: FloatArray | None = None,
    *,
    penalised: bool = False,
) -> Study:
    """Set up a study from what is expected on each recent day.

    Parameters
    ----------
    neighbours : Neighbours
    kind : int
        One of ``scan_statistics``' constants.
    mean, second : ndarray of float64, shape (n_feeds, n_recent_days, n_areas)
        As in :class:`Study`, but for single days, the last day first.
    penalised : bool
        Whether circles of every width share one threshold: :func:`scale_penalty`.
    """
    windows = _windowed(mean)
    other = np.zeros_like(windows) if second is None else _windowed(second)
    n_windows = windows.shape[2]
    if penalised:
        zone_penalty, window_penalty = scale_penalty(neighbours, n_windows)
    else:
        zone_penalty, window_penalty = np.zeros(neighbours.n_zones), np.zeros(n_windows)
    return Study(neighbours, kind, windows, other, zone_penalty, window_penalty)


def scale_penalty(neighbours: Neighbours, n_windows: int) -> tuple[FloatArray, FloatArray]:
    """Return what to subtract from the ratios of zones, shape (n_zones,), and of windows, shape (n_windows,).

    There are as many circles of 17 areas as of 2: left alone, a maximum over all is mostly a maximum over wide ones, and
    single areas, whose maximum is far lower, are held to a threshold that is not theirs. Dümbgen and Spokoiny (2001,
    Ann. Statist. 29:124) and Walther (2010, Ann. Statist. 38:1010) therefore subtract a term that depends on the scale
    alone. Here it is the logarithm of a prior: every doubling of the number of areas k is equally likely, so a circle
    has a prior in proportion to 1 / k (the scale-free prior), and ``log k`` is subtracted. Single areas pay nothing; on
    null histories they then cause about half of the family's false alarms and all circles together the other half.
    Windows pay nothing: their running sums are so alike that a maximum over 14 of them is one over two or three.
    """
    per_size = np.log(np.arange(1, neighbours.order.shape[1] + 1, dtype=np.float64))
    ranks = np.concatenate([np.arange(size) for size in neighbours.sizes])
    return per_size[ranks], np.zeros(n_windows)


def looks_of(daily: NDArray[np.generic], n_windows: int, *, dtype: type[np.floating] = np.float64) -> Counts:
    """Return the counts of the last 1, 2, ... days of each look, oldest look first.

    Parameters
    ----------
    daily : ndarray, shape (n_days, n_areas) or (n_feeds, n_days, n_areas)
        Counts by day; each day from the ``n_windows``-th on is one look.

    Returns
    -------
    ndarray, shape (n_days - n_windows + 1, n_feeds, n_areas, n_windows)
    """
    cube = np.asarray(daily, dtype=np.float64)
    cube = cube[None] if cube.ndim == 2 else cube  # noqa: PLR2004 (days and areas)
    views = np.lib.stride_tricks.sliding_window_view(cube, n_windows, axis=1)
    summed = views[..., ::-1].cumsum(axis=-1)
    ordered: Counts = np.ascontiguousarray(summed.transpose(1, 0, 2, 3), dtype=dtype)
    return ordered


def conditional(kind: int) -> bool:
    """Whether expected counts are shares of a study's total."""
    return kind >= CONDITIONAL


def _windowed(daily: FloatArray) -> FloatArray:
    summed: FloatArray = np.ascontiguousarray(daily.cumsum(axis=1).transpose(0, 2, 1))
    return summed
