"""Simulated histories as the tripwires see them, without the detour through messages and intake.

For the calibration of tripwires: :func:`observations`. What an observation says is what intake would make of the
message that ``records.py`` makes of the same row (tested side by side).
"""

from collections.abc import Iterator

import numpy as np

from detectors.observations import Observation
from schemas.events import Response
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Stratum
from streams.simulation.counting import counted_classes, counted_place
from streams.simulation.history import CLASSES, FEEDS, History
from streams.simulation.timing import moment_of

_RESPONSES = (Response.IMPROVED, Response.NONE, Response.UNKNOWN)
_STRATA = tuple(Stratum)
_TOKEN_MINUTES = 28 * 1440
_CLASS_SETS: dict[tuple[int, int], frozenset[SubstanceClass]] = {}


def observations(history: History, root: AreaCode) -> Iterator[Observation]:
    """Yield each record of a history as an observation, by the moment it becomes known.

    Parameters
    ----------
    history : History
        From :func:`streams.simulation.history.draw_history`.
    root : AreaCode
        Code of the whole jurisdiction: the area of what cannot be placed.
    """
    events, places = history.events, history.places
    counted = counted_place(events)
    area = np.where(counted >= 0, places.area_of[np.maximum(counted, 0)], -1).tolist()
    fine = np.where(events.event_stated, events.event_place, counted).tolist()
    first, second = (column.tolist() for column in counted_classes(events))
    columns = zip(
        events.feed.tolist(),
        events.occurred.tolist(),
        events.known.tolist(),
        events.person.tolist(),
        events.scene.tolist(),
        events.scene_token.tolist(),
        events.subject_token.tolist(),
        events.doses.tolist(),
        events.response.tolist(),
        events.arrest.tolist(),
        events.stratum.tolist(),
        events.batch.tolist(),
        strict=True,
    )
    for row, item in enumerate(columns):
        (
            feed,
            occurred,
            known,
            person,
            scene,
            has_scene,
            has_subject,
            doses,
            response,
            arrest,
            stratum,
            batch,
        ) = item
        period = occurred // _TOKEN_MINUTES
        is_sample = FEEDS[feed] is Feed.DRUG_CHECKING
        classes = _classes(first[row], second[row])
        yield Observation(
            identity=f"{history.label}-{row}",
            feed=FEEDS[feed],
            occurred_at=moment_of(occurred),
            known_at=moment_of(known),
            area=places.areas[area[row]] if area[row] >= 0 else root,
            fine_area=places.fine[fine[row]] if fine[row] >= 0 and not is_sample else None,
            scene=f"{history.label}-{scene}-{period}" if has_scene else None,
            subject=f"{history.label}-{person}-{period}" if has_subject else None,
            classes=classes,
            detected=classes if is_sample else frozenset(),
            doses=doses,
            response=_RESPONSES[response],
            cardiac_arrest=arrest,
            stratum=_STRATA[stratum],
            batch=f"{history.label}-batch-{batch}" if batch >= 0 else None,
        )


def _classes(first: int, second: int) -> frozenset[SubstanceClass]:
    found = _CLASS_SETS.get((first, second))
    if found is None:
        found = frozenset(CLASSES[index] for index in (first, second) if index >= 0)
        _CLASS_SETS[first, second] = found
    return found
