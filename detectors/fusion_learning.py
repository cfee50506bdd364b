"""What fusion learns once a week: how feeds' records are spread over groups, and over the small areas.

:meth:`detectors.fusion.Fusion.learn` keeps it as JSON beside the baseline; a look reads it back. Without it (a first
day, an older store) the planning figures and the population stand in.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter, ValidationError

from detectors.effects import N_FEEDS, N_GROUPS, PLANNED_GROUPS, PLANNED_WORTH, groups_of
from detectors.fine_shares import fine_shares
from detectors.sightings import FEEDS, Sightings
from detectors.terrain import Terrain
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]

GUARD_DAYS = 21
"""The last days teach nothing, so that a running cluster does not become usual (as for the baseline)."""
MEMORY_DAYS = 1092
_DECIMALS = 8
_PRIOR_PLACED = 20.0
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
    """

    groups: FloatArray
    finely_placed: FloatArray
    shares: FloatArray
    shapes: FloatArray

    def to_json(self) -> JsonValue:
        """Return it as plain JSON."""
        return {
            "groups": [float(value) for value in np.round(self.groups, _DECIMALS).ravel()],
            "finely_placed": [float(value) for value in np.round(self.finely_placed, _DECIMALS)],
            "shares": [float(value) for value in np.round(self.shares, _DECIMALS)],
            "shapes": [float(value) for value in np.round(self.shapes, _DECIMALS)],
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
            return cls(**_arrays_before_learning(terrain))
        try:
            numbers = _NUMBERS.validate_python(document)
        except ValidationError as error:
            raise ValueError("learnt must hold what fusion learnt from this jurisdiction's past") from error
        wanted = {
            "groups": N_FEEDS * N_GROUPS,
            "finely_placed": N_FEEDS,
            "shares": len(terrain.fine),
            "shapes": len(terrain.fine),
        }
        if {name: len(row) for name, row in numbers.items()} != wanted:
            raise ValueError(f"learnt must hold rows of the lengths {wanted}: learn again for this terrain")
        arrays = {name: np.array(row, dtype=np.float64) for name, row in numbers.items()}
        arrays["groups"] = arrays["groups"].reshape(N_FEEDS, N_GROUPS)
        return cls(**arrays)


def learn_memory(sightings: Sightings, terrain: Terrain) -> FusionMemory:
    """Learn from the events known as a week begins."""
    last = sightings.n_days - GUARD_DAYS
    kept = (sightings.day < last) & (sightings.day >= last - MEMORY_DAYS)
    feed, area, fine = sightings.feed[kept], sightings.area[kept], sightings.fine[kept]
    stream = feed * N_GROUPS + groups_of(sightings.classes[kept])
    counted = np.bincount(stream, minlength=N_FEEDS * N_GROUPS).reshape(N_FEEDS, N_GROUPS)
    groups = counted + PLANNED_WORTH * _planned()
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
    )


def _planned() -> FloatArray:
    rows = np.array([PLANNED_GROUPS[feed] for feed in FEEDS])
    planned: FloatArray = rows / rows.sum(axis=1, keepdims=True)
    return planned


def _arrays_before_learning(terrain: Terrain) -> dict[str, FloatArray]:
    shares, shapes = fine_shares(
        np.zeros(len(terrain.fine)), terrain.population, terrain.area_of, len(terrain.areas)
    )
    return {"groups": _planned(), "finely_placed": np.ones(N_FEEDS), "shares": shares, "shapes": shapes}
