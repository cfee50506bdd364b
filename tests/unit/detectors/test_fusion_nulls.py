"""Thresholds learnt from the stated county keep their budget on counties that differ from it (minutes: marked long)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from detectors.budget import AREA_COUNTS, FUSION, Budget, Thresholds
from detectors.calibration import NullHistory, Setup, calibrate, realised
from detectors.fusion import Fusion
from detectors.terrain import terrain_of
from schemas.vocabulary import Feed, Tier
from streams.history import series_of
from streams.simulation.counting import occurrences, sightings
from streams.simulation.history import draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY, SimulationParameters
from streams.simulation.places import places_from
from tocsin.calibration import TRAINING_DAYS, kent_profile, setup_of

pytestmark = pytest.mark.long

COUNTED_DAYS = 728
FIRST_DAY = date(2014, 1, 6)
# Twice the default pages: three histories then hold enough episodes for a factor of two to mean something.
BUDGET = Budget(pages_per_year=8.0)
PROFILE = kent_profile()
TERRAIN = terrain_of(PROFILE.geography)
PLACES = places_from(PROFILE.geography, "kent-and-medway")
QUARTER = (TRAINING_DAYS + 200, TRAINING_DAYS + 291)
OTHER_NULLS: dict[str, dict[str, Any]] = {
    "few people in two feeds": {"overlap": (0.3, 0.3)},
    "many people in two feeds": {"overlap": (0.7, 0.7)},
    "a level that drifts": {"drift_sd": 0.2},
    "a quarter with 45 % more": {"steps": ((QUARTER[0], 1.45), (QUARTER[1], 1.0))},
    "a quarter with 30 % less": {"steps": ((QUARTER[0], 0.7), (QUARTER[1], 1.0))},
}


def _histories(parameters: SimulationParameters, seeds: range) -> Iterator[NullHistory]:
    first = setup_of(PROFILE)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        drawn = draw_history(parameters, PLACES, FIRST_DAY, first.training_days + COUNTED_DAYS, rng)
        areas = PROFILE.geography.detection_areas()
        yield NullHistory(occurrences(drawn, areas, series_of(list(Feed))), sightings(drawn, TERRAIN))


@pytest.fixture(scope="module")
def setup() -> Setup:
    return replace(setup_of(PROFILE), detectors=(Fusion(TERRAIN),))


@pytest.fixture(scope="module")
def learnt(setup: Setup) -> Thresholds:
    return calibrate(_histories(KENT_AND_MEDWAY, range(6)), setup, budget=BUDGET)


def test_other_histories_of_the_same_county_keep_the_budget(setup: Setup, learnt: Thresholds) -> None:
    found = realised(_histories(KENT_AND_MEDWAY, range(100, 106)), setup, learnt)
    for family in (AREA_COUNTS, FUSION):
        page = found[family][Tier.PAGE]
        assert 1 / 1.5 < page.realised_per_year / page.nominal_per_year < 1.5


@pytest.mark.parametrize("name", OTHER_NULLS)
def test_counties_of_another_kind_stay_within_twice_the_budget(
    setup: Setup, learnt: Thresholds, name: str
) -> None:
    other = KENT_AND_MEDWAY.model_copy(update=OTHER_NULLS[name])
    page = realised(_histories(other, range(200, 204)), setup, learnt)[FUSION][Tier.PAGE]
    # Too few are no fault here: four histories hold about twenty-five episodes.
    assert page.realised_per_year < 2 * page.nominal_per_year + 2 * page.standard_error
