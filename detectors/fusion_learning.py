"""What fusion learns once a week: where records usually lie, what they name, and how they come in clumps and pairs.

:meth:`detectors.fusion.Fusion.learn` keeps it as JSON beside the baseline; a look reads it back. Without it (a first
day, an older store) the planning figures and the population stand in.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter, ValidationError

from detectors.effects import ALSO_IN, N_FEEDS, N_GROUPS, PLANNED_GROUPS, PLANNED_WORTH, groups_of, overlaps
from detectors.fine_shares import fine_shares
from detectors.fusion_pairs import clumping, pairs_by_lag, pairs_same_day
from detectors.sightings import FEEDS, Sightings
from detectors.terrain import Terrain
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WINDOWS: tuple[int, ...] = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28)
"""Nominal lengths of fusion's windows, in days: about two to each doubling, so that no length is tried more often."""

GUARD_DAYS = 21
"""The last days teach nothing, so that a running cluster does not become usual (as for the baseline)."""
MEMORY_DAYS = 1092
_DECIMALS = 8
_PRIOR_PLACED = 20.0

# Planning figures until pairs of records are many: one person in twenty is harmed again within weeks, one and a half
# times, ten days from one time to the next; one happening in a hundred has a second casualty. Worth so many records.
_AGAIN, _AGAIN_DAYS, _TOGETHER = 0.075, 10.0, 0.01
_PRIOR_RECORDS = 300.0
# Of the people seen in two feeds, the share that both place in the same small area: half of those harmed in their own
# detection area are harmed at home. They are recorded at most a day apart.
_SAME_PLACE = 0.5
_PRIOR_PEOPLE = 100.0
_CROSS_LAGS = np.arange(-1, 2)

# How far an area's share of the jurisdiction moves within a season, beyond chance: a tenth, worth so many blocks.
_SHIFT = 0.01
_BLOCK_DAYS = 28
_PRIOR_BLOCKS = 100.0
_BLOCK_MEAN = 10.0
_MOST_SHIFT = 0.25
_CLUMPED = 1.4
"""Variance over mean of an area's monthly count when nothing moved: people are harmed, and recorded, in clumps."""
_NUMBERS = TypeAdapter(dict[str, list[float]])
_SAMPLES = FEEDS.index(Feed.DRUG_CHECKING)


@dataclass(frozen=True, slots=True, eq=False)
class FusionMemory:
    """What was learnt.

    Attributes
    ----------
    groups : ndarray of float64, shape (n_feeds, n_groups)
        How each feed's records are usually spread over the groups; rows add up to 1.
    finely_placed : ndarray of float64, shape (n_feeds,)
        Of the records that have a detection area, the share that also have a small one.
    shares, shapes : ndarray of float64, shape (n_fine,)
        See :func:`detectors.fine_shares.fine_shares`.
    clumps : ndarray of float64, shape (n_feeds, n_windows)
        Variance over mean, less 1, of one small area's counts: repeated callers, several casualties at one scene.
    also_here : ndarray of float64, shape (n_feeds, n_feeds)
        Of the people of one feed (row), the share who are in a later one (column) at the same small area.
    shift : float
        Squared relative change of a detection area's share from one month to another, beyond chance.
    """

    groups: FloatArray
    finely_placed: FloatArray
    shares: FloatArray
    shapes: FloatArray
    clumps: FloatArray
    also_here: FloatArray
    shift: float

    def to_json(self) -> JsonValue:
        """Return it as plain JSON."""
        return {
            "groups": [float(value) for value in np.round(self.groups, _DECIMALS).ravel()],
            "finely_placed": [float(value) for value in np.round(self.finely_placed, _DECIMALS)],
            "shares": [float(value) for value in np.round(self.shares, _DECIMALS)],
            "shapes": [float(value) for value in np.round(self.shapes, _DECIMALS)],
            "clumps": [float(value) for value in np.round(self.clumps, _DECIMALS).ravel()],
            "also_here": [float(value) for value in np.round(self.also_here, _DECIMALS).ravel()],
            "shift": [round(self.shift, _DECIMALS)],
        }

    @classmethod
    def from_json(cls, document: JsonValue, terrain: Terrain) -> Self:
        """Read back what :meth:`to_json` gave, or make what stands in for it when ``document`` is None.

        Raises
        ------
        ValueError
            If it is not such a document, or is of another terrain.
        """
        if document is None:
            return cls(**_before_learning(terrain), shift=_SHIFT)
        try:
            numbers = _NUMBERS.validate_python(document)
        except ValidationError as error:
            raise ValueError("learnt must hold what fusion learnt from this jurisdiction's past") from error
        wanted = {
            "groups": N_FEEDS * N_GROUPS,
            "finely_placed": N_FEEDS,
            "shares": len(terrain.fine),
            "shapes": len(terrain.fine),
            "clumps": N_FEEDS * len(WINDOWS),
            "also_here": N_FEEDS * N_FEEDS,
            "shift": 1,
        }
        if {name: len(row) for name, row in numbers.items()} != wanted:
            raise ValueError(f"learnt must hold rows of the lengths {wanted}: learn again for this terrain")
        arrays = {name: np.array(row, dtype=np.float64) for name, row in numbers.items()}
        return cls(
            groups=arrays["groups"].reshape(N_FEEDS, N_GROUPS),
            finely_placed=arrays["finely_placed"],
            shares=arrays["shares"],
            shapes=arrays["shapes"],
            clumps=arrays["clumps"].reshape(N_FEEDS, len(WINDOWS)),
            also_here=arrays["also_here"].reshape(N_FEEDS, N_FEEDS),
            shift=float(arrays["shift"][0]),
        )


def learn_memory(sightings: Sightings, terrain: Terrain) -> FusionMemory:
    """Learn from the events known as a week begins."""
    last = sightings.n_days - GUARD_DAYS
    start = max(last - MEMORY_DAYS, 0)
    kept = (sightings.day < last) & (sightings.day >= start)
    day, feed = sightings.day[kept] - start, sightings.feed[kept]
    area, fine = sightings.area[kept], sightings.fine[kept]
    n_days = max(last - start, 1)
    stream = feed * N_GROUPS + groups_of(sightings.classes[kept])
    counted = np.bincount(stream, minlength=N_FEEDS * N_GROUPS).reshape(N_FEEDS, N_GROUPS)
    groups = counted + PLANNED_WORTH * _planned_groups()
    placed = np.bincount(feed[area >= 0], minlength=N_FEEDS)
    finely = np.bincount(feed[(area >= 0) & (fine >= 0)], minlength=N_FEEDS)
    # Samples lie where somebody tests, not where people are harmed.
    somewhere = fine[(fine >= 0) & (feed != _SAMPLES)]
    counts = np.bincount(somewhere, minlength=len(terrain.fine)).astype(np.float64)
    shares, shapes = fine_shares(counts, terrain.population, terrain.area_of, len(terrain.areas))
    return FusionMemory(
        groups=groups / groups.sum(axis=1, keepdims=True),
        finely_placed=(finely + _PRIOR_PLACED) / (placed + _PRIOR_PLACED),
        shares=shares,
        shapes=shapes,
        clumps=_clumps(feed[fine >= 0], fine[fine >= 0], day[fine >= 0], n_days),
        also_here=_also_here(feed[fine >= 0], fine[fine >= 0], day[fine >= 0], n_days),
        shift=_shift(feed[area >= 0], area[area >= 0], day[area >= 0], n_days, len(terrain.areas)),
    )


def _clumps(feed: IntArray, fine: IntArray, day: IntArray, n_days: int) -> FloatArray:
    """How many further records of its own feed a record makes one expect at its small area, by window."""
    lags = np.arange(1, WINDOWS[-1])
    planned = _AGAIN * np.diff(1.0 - np.exp(-np.arange(WINDOWS[-1]) / _AGAIN_DAYS))
    clumps = np.zeros((N_FEEDS, len(WINDOWS)))
    for row in range(N_FEEDS):
        place, when = fine[feed == row], day[feed == row]
        worth = place.size + _PRIOR_RECORDS
        together = pairs_same_day(place, when, n_days) + _PRIOR_RECORDS * _TOGETHER
        further = pairs_by_lag(place, when, place, when, n_days, lags) + _PRIOR_RECORDS * planned
        clumps[row] = clumping(together / worth, further / worth, np.array(WINDOWS))
    return clumps


def _also_here(feed: IntArray, fine: IntArray, day: IntArray, n_days: int) -> FloatArray:
    """Of the people of one feed, the share who are in a later feed as well and at the same small area."""
    planned = overlaps()
    table = np.zeros((N_FEEDS, N_FEEDS))
    for first, second in ALSO_IN:
        row, column = FEEDS.index(first), FEEDS.index(second)
        ours, theirs = feed == row, feed == column
        found = pairs_by_lag(fine[ours], day[ours], fine[theirs], day[theirs], n_days, _CROSS_LAGS).sum()
        prior = _PRIOR_PEOPLE * planned[row, column] * _SAME_PLACE
        table[row, column] = np.clip((found + prior) / (ours.sum() + _PRIOR_PEOPLE), 0.0, 1.0)
    return table


def _shift(feed: IntArray, area: IntArray, day: IntArray, n_days: int, n_areas: int) -> float:
    """How far areas' shares move between months: the squared relative change beyond chance (moments)."""
    blocks = n_days // _BLOCK_DAYS
    worth, total = _PRIOR_BLOCKS, _PRIOR_BLOCKS * _SHIFT
    if blocks < 2 or n_areas < 2:  # noqa: PLR2004 (one of either has no share that could move)
        return _SHIFT
    inside = day >= n_days - blocks * _BLOCK_DAYS
    block = (day - (n_days - blocks * _BLOCK_DAYS)) // _BLOCK_DAYS
    for row in range(N_FEEDS):
        ours = inside & (feed == row)
        cell = block[ours] * n_areas + area[ours]
        counts = np.bincount(cell, minlength=blocks * n_areas).reshape(blocks, n_areas).astype(np.float64)
        if row == _SAMPLES or not counts.sum():
            continue
        share = counts.sum(axis=0) / counts.sum()
        mean = counts.sum(axis=1, keepdims=True) * share
        square = float((mean**2).sum())
        # A block's own total and an area's own share take off a little of the variance that chance gives.
        chance = _CLUMPED * (mean * (1.0 - share)).sum() * (1.0 - 1.0 / blocks)
        # A block with many records says more: one of ten is worth one, as its variance under chance falls with its mean.
        own = square / _BLOCK_MEAN**2
        total += own * (float(((counts - mean) ** 2).sum()) - chance) / square
        worth += own
    return float(np.clip(total / worth, 0.0, _MOST_SHIFT))


def _planned_groups() -> FloatArray:
    rows = np.array([PLANNED_GROUPS[feed] for feed in FEEDS])
    planned: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return planned


def _before_learning(terrain: Terrain) -> dict[str, FloatArray]:
    nothing = np.zeros(0, dtype=np.int64)
    shares, shapes = fine_shares(
        np.zeros(len(terrain.fine)), terrain.population, terrain.area_of, len(terrain.areas)
    )
    return {
        "groups": _planned_groups(),
        "finely_placed": np.ones(N_FEEDS),
        "shares": shares,
        "shapes": shapes,
        "clumps": _clumps(nothing, nothing, nothing, 1),
        "also_here": _also_here(nothing, nothing, nothing, 1),
    }
