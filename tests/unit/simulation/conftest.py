"""Shared ground and one drawn history, so that each suite does not draw its own."""

from datetime import date

import numpy as np
import pytest

from schemas.geography import Geography, load_kent_and_medway
from streams.simulation.history import History, draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.places import KENT_HOSPITALS, Places, places_from


@pytest.fixture(scope="session")
def kent() -> Geography:
    return load_kent_and_medway()


@pytest.fixture(scope="session")
def places(kent: Geography) -> Places:
    return places_from(kent, "kent-and-medway", KENT_HOSPITALS)


@pytest.fixture(scope="session")
def year(places: Places) -> History:
    return draw_history(KENT_AND_MEDWAY, places, date(2016, 1, 1), 366, np.random.default_rng(7))


@pytest.fixture(scope="session")
def many_years(places: Places) -> list[History]:
    return [
        draw_history(KENT_AND_MEDWAY, places, date(2016, 1, 1), 366, np.random.default_rng([11, number]))
        for number in range(60)
    ]
