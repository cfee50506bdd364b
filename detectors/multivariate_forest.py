"""An isolation forest that is a function of its training rows alone, and how unusual a row is among them.

scikit-learn's ``IsolationForest`` (Liu, Ting and Zhou 2008, ICDM, 413-422; 256 rows a tree as they advise), seeded and
in one thread. A row's *anomaly* is what scikit-learn calls minus the score of samples; it is read off the trees here
without checking the input of each tree again, which is most of what a look of a dozen rows would cost. Forests are kept
by their rows, as a pure memo: forgetting them changes nothing but the time.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

FloatArray = NDArray[np.float64]

TREES = 50
"""Liu et al. (section 5.3) find that path lengths settle well before 100 trees; half of that costs a look less."""
ROWS_A_TREE = 256
SEED = 20260101
"""Stated, so that the same rows always give the same forest."""

_TAIL = 0.05
"""The part of the training rows from which the tail is learnt: 50 of 1,000."""
_KEPT = 8
_EULER = 0.5772156649015329
_SMALLEST = 1e-300

_memo: "OrderedDict[str, Forest]" = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """A fitted forest and the anomalies of its own training rows, ascending."""

    trees: tuple[tuple[object, FloatArray], ...]
    """Each tree, and the path length that each of its nodes stands for."""
    usual_path: float
    trained: FloatArray
    median: FloatArray
    """Of each feature over the training rows."""

    def anomalies(self, rows: FloatArray) -> FloatArray:
        """Return the anomaly of each row, from 0 to 1: ``2 ** (-mean path / usual path)``."""
        given = np.ascontiguousarray(rows, dtype=np.float32)
        paths = np.zeros(given.shape[0])
        for tree, length in self.trees:
            paths += length[tree.apply(given)]  # type: ignore[attr-defined]  # a compiled tree publishes no types
        value: FloatArray = 2.0 ** (-paths / (len(self.trees) * self.usual_path))
        return value

    def chance(self, anomaly: FloatArray) -> FloatArray:
        """Return how likely an anomaly at least so great is among the training rows.

        By rank below the tail, by an exponential with the tail's mean excess within and beyond it.
        """
        return tail_chance(self.trained, anomaly)


def tail_chance(trained: FloatArray, anomaly: FloatArray) -> FloatArray:
    """Return the share of values at or above ``anomaly``, read off sorted ``trained`` values with a fitted tail."""
    count = trained.size
    above = count - np.searchsorted(trained, anomaly, side="left")
    rank: FloatArray = np.asarray((above + 1.0) / (count + 1.0), dtype=np.float64)
    start = float(np.quantile(trained, 1.0 - _TAIL))
    excess = trained[trained > start] - start
    if not excess.size:
        # All of the tail is one value: there is nothing to learn of how it goes on.
        return rank
    tail = _TAIL * np.exp(-np.maximum(anomaly - start, 0.0) / float(excess.mean()))
    chance: FloatArray = np.where(anomaly > start, np.minimum(tail, rank), rank)
    return np.maximum(chance, _SMALLEST)


def forest_of(rows: FloatArray) -> Forest:
    """Return the forest of some training rows, shape (n_rows, n_features); fitted only where it is not remembered.

    Raises
    ------
    ValueError
        If ``rows`` holds a number that is not finite, or fewer than two rows.
    """
    if rows.ndim != 2 or rows.shape[0] < 2 or not np.all(np.isfinite(rows)):  # noqa: PLR2004 (a table; rows to part)
        raise ValueError(f"rows must be at least two rows of finite numbers, not of shape {rows.shape}")
    given = np.ascontiguousarray(rows, dtype=np.float64)
    digest = hashlib.sha256(repr(given.shape).encode() + given.tobytes()).hexdigest()
    with _lock:
        known = _memo.get(digest)
        if known is not None:
            _memo.move_to_end(digest)
            return known
    fitted = _fit(given)
    with _lock:
        _memo[digest] = fitted
        while len(_memo) > _KEPT:
            _memo.popitem(last=False)
    return fitted


def _fit(rows: FloatArray) -> Forest:
    sampled = min(ROWS_A_TREE, rows.shape[0])
    model = IsolationForest(n_estimators=TREES, max_samples=sampled, random_state=SEED).fit(rows)
    trees = tuple((item.tree_, _path_lengths(item.tree_)) for item in model.estimators_)
    forest = Forest(trees, float(_usual_path(np.array([sampled]))[0]), rows[:0, 0], np.median(rows, axis=0))
    return Forest(trees, forest.usual_path, np.sort(forest.anomalies(rows)), forest.median)


def _path_lengths(tree: object) -> FloatArray:
    """Return the depth of each node, and for its rows that were not parted further how much deeper they would lie."""
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]  # as above
    depth = np.zeros(left.size)
    # A node always stands before its children.
    for node in range(left.size):
        if left[node] >= 0:
            depth[[left[node], right[node]]] = depth[node] + 1.0
    lengths: FloatArray = depth + _usual_path(tree.n_node_samples)  # type: ignore[attr-defined]  # as above
    return lengths


def _usual_path(count: NDArray[np.int64]) -> FloatArray:
    """Return the mean path of a failed search among ``count`` rows (Liu et al., equation 1)."""
    many = np.maximum(count, 3).astype(np.float64)
    length = 2.0 * (np.log(many - 1.0) + _EULER) - 2.0 * (many - 1.0) / many
    usual: FloatArray = np.where(count <= 1, 0.0, np.where(count == 2, 1.0, length))  # noqa: PLR2004 (one split)
    return usual
