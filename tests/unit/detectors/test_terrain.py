"""Terrain: the small areas of a geography, where they lie and who lives there, always in the same order."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.terrain import Terrain, terrain_of
from schemas.geography import Area, AreaCode, AreaLevel, Geography, load_kent_and_medway

ROOT, EAST, WEST = AreaCode("X"), AreaCode("E"), AreaCode("W")


def area(
    code: str,
    level: AreaLevel,
    parent: AreaCode | None,
    *,
    at: tuple[float, float] | None = (51.0, 1.0),
    people: float = 1000.0,
) -> Area:
    latitude, longitude = at or (None, None)
    return Area(
        AreaCode(code), code, level, parent, people, latitude, longitude, population_is_estimate=False
    )


def county(
    small: Iterable[Area], *, neighbours: dict[AreaCode, Sequence[AreaCode]] | None = None
) -> Geography:
    return Geography(
        "made-up",
        [
            area("X", AreaLevel.JURISDICTION, None),
            area("W", AreaLevel.LAD, ROOT, at=(51.0, 0.5)),
            area("E", AreaLevel.LAD, ROOT, at=(51.0, 1.5)),
            *small,
        ],
        detection_level=AreaLevel.LAD,
        neighbours=neighbours or {EAST: [WEST]},
    )


def small(
    code: str, parent: AreaCode, at: tuple[float, float] | None = (51.0, 1.0), people: float = 1000.0
) -> Area:
    return area(code, AreaLevel.LSOA, parent, at=at, people=people)


@pytest.fixture(scope="module")
def kent() -> Terrain:
    return terrain_of(load_kent_and_medway())


def test_kent_has_every_small_area_in_its_district(kent: Terrain) -> None:
    geography = load_kent_and_medway()
    assert kent.root == geography.root
    assert kent.areas == geography.detection_areas()
    assert set(kent.fine) == set(geography.at_level(AreaLevel.LSOA))
    assert list(kent.fine) == sorted(kent.fine)
    for index in range(0, len(kent.fine), 97):
        assert kent.areas[kent.area_of[index]] == geography.detection_area_of(kent.fine[index])


def test_kent_holds_as_many_people_as_live_there(kent: Terrain) -> None:
    assert kent.population.sum() == pytest.approx(1_860_000, rel=0.02)
    assert (kent.population > 0).all()


def test_distances_in_kent_are_those_on_the_globe_to_a_thousandth(kent: Terrain) -> None:
    geography = load_kent_and_medway()
    for first, second in itertools.combinations(range(0, len(kent.fine), 211), 2):
        a, b = (geography.areas[kent.fine[index]] for index in (first, second))
        assert a.latitude is not None
        assert a.longitude is not None
        assert b.latitude is not None
        assert b.longitude is not None
        north, east = math.radians(a.latitude - b.latitude), math.radians(a.longitude - b.longitude)
        chord = (
            math.sin(north / 2) ** 2
            + math.cos(math.radians(a.latitude))
            * math.cos(math.radians(b.latitude))
            * math.sin(east / 2) ** 2
        )
        globe = 2 * 6371.0088 * math.asin(math.sqrt(chord))
        plane = float(np.hypot(*(kent.position_km[first] - kent.position_km[second])))
        assert plane == pytest.approx(globe, rel=4e-3, abs=0.01)


def test_east_and_north_are_where_they_are_on_a_map(kent: Terrain) -> None:
    margate, dartford = (
        kent.position_km[kent.area_of == kent.areas.index(AreaCode(code))].mean(axis=0)
        for code in ("E07000114", "E07000107")
    )
    assert margate[0] > dartford[0] + 50


def test_touching_goes_both_ways_and_nothing_touches_itself(kent: Terrain) -> None:
    assert np.array_equal(kent.adjacent, kent.adjacent.T)
    assert not kent.adjacent.diagonal().any()
    assert kent.adjacent.any(axis=1).all()


def test_the_areas_themselves_stand_where_there_is_nothing_smaller() -> None:
    made = terrain_of(county([]))
    assert made.fine == made.areas == (EAST, WEST)
    assert list(made.area_of) == [0, 1]
    assert made.position_km[0, 0] - made.position_km[1, 0] == pytest.approx(70.0, rel=0.01)


def test_a_small_area_without_a_position_is_left_out() -> None:
    made = terrain_of(county([small("A", EAST), small("B", EAST, at=None), small("C", WEST)]))
    assert made.fine == ("A", "C")


def test_an_area_of_whose_parts_none_has_a_position_stands_for_them() -> None:
    made = terrain_of(county([small("A", EAST, at=None), small("B", EAST, at=None), small("C", WEST)]))
    assert made.fine == ("C", "E")
    assert [made.areas[held] for held in made.area_of] == [WEST, EAST]


def test_a_county_without_any_position_has_areas_and_no_ground() -> None:
    places = [
        area("X", AreaLevel.JURISDICTION, None, at=None),
        area("W", AreaLevel.LAD, ROOT, at=None),
        area("E", AreaLevel.LAD, ROOT, at=None),
    ]
    made = terrain_of(Geography("nowhere", places, detection_level=AreaLevel.LAD))
    assert made.areas == (EAST, WEST)
    assert made.fine == ()
    assert made.position_km.shape == (0, 2)
    assert made.population.shape == (0,)
    assert not made.adjacent.any()


def test_a_population_that_nobody_has_said_is_the_mean_of_the_others() -> None:
    given_people = [
        small("A", EAST, people=900.0),
        small("B", EAST, people=math.nan),
        small("C", WEST, people=300.0),
    ]
    assert list(terrain_of(county(given_people)).population) == [900.0, 600.0, 300.0]
    nobody = [small("A", EAST, people=math.nan), small("B", WEST, people=math.nan)]
    assert list(terrain_of(county(nobody)).population) == [1.0, 1.0]


@given(st.permutations(["A", "B", "C", "D", "F"]))
def test_the_order_in_which_areas_are_listed_does_not_matter(order: list[str]) -> None:
    where = {code: (51.0 + index / 50, 1.0 + index / 30) for index, code in enumerate("ABCDF")}
    one, other = (
        terrain_of(county([small(code, EAST if code < "C" else WEST, where[code]) for code in codes]))
        for codes in ("ABCDF", order)
    )
    assert one.fine == other.fine
    assert np.array_equal(one.position_km, other.position_km)
    assert np.array_equal(one.area_of, other.area_of)
