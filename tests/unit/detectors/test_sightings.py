"""Sightings: one order whatever the order of arrival, what was known when, and nothing impossible."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sightings import CLASS_BIT, CLASSES, COLUMNS, FEEDS, Sightings, class_bits, occurrences_of
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from tocsin.looking_back import counts_of

FIRST_DAY = date(2026, 1, 1)
N_DAYS = 40
EVENT = st.tuples(
    st.integers(0, N_DAYS - 1),
    st.integers(0, 9),
    st.integers(0, len(FEEDS) - 1),
    st.integers(1, (1 << len(CLASSES)) - 1),
    st.integers(0, (1 << len(CLASSES)) - 1),
    st.integers(-1, 4),
    st.integers(-1, 9),
)
EVENTS = st.lists(EVENT, max_size=30)
Event = tuple[int, int, int, int, int, int, int]


def made(events: list[Event], n_days: int = N_DAYS) -> Sightings:
    table = np.array(events, dtype=np.int64).reshape(-1, 7)
    return Sightings(
        FIRST_DAY,
        n_days,
        table[:, 0],
        table[:, 0] + table[:, 1],
        *(table[:, column] for column in range(2, 7)),
    )


def rows(sightings: Sightings) -> list[tuple[int, ...]]:
    return [
        tuple(int(x) for x in row)
        for row in zip(*(getattr(sightings, name) for name in COLUMNS), strict=True)
    ]


@given(EVENTS, st.randoms())
def test_the_order_of_arrival_does_not_show(events: list[Event], chance: object) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert rows(made(events)) == rows(made(shuffled))
    assert sorted(rows(made(events))) == sorted((day, day + late, *rest) for day, late, *rest in events)


@given(EVENTS, st.integers(0, N_DAYS - 1), st.one_of(st.none(), st.integers(1, N_DAYS)))
def test_what_was_known_is_what_had_become_known_of_the_last_days(
    events: list[Event], today: int, days: int | None
) -> None:
    known = made(events).as_known(today, days)
    first = 0 if days is None else max(today - days + 1, 0)
    expected = sorted(
        (day - first, day + late - first, *rest)
        for day, late, *rest in events
        if first <= day <= today and day + late <= today
    )
    assert sorted(rows(known)) == expected
    assert known.last_day.toordinal() == FIRST_DAY.toordinal() + today
    assert known.n_days == today - first + 1


@given(EVENTS, st.integers(0, N_DAYS - 1), st.integers(0, N_DAYS - 1))
def test_knowing_in_two_steps_is_knowing_at_once(events: list[Event], first: int, second: int) -> None:
    early, late = sorted((first, second))
    everything = made(events)
    assert rows(everything.as_known(late).as_known(early)) == rows(everything.as_known(early))


def test_what_it_is_made_of_is_not_changed() -> None:
    day = np.array([3, 1])
    day.flags.writeable = False
    one = np.array([1, 1])
    zero = np.array([0, 0])
    made_of = Sightings(FIRST_DAY, 5, day, day, zero, one, zero, zero, zero)
    assert list(day) == [3, 1]
    assert list(made_of.day) == [1, 3]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("day", -1),
        ("day", N_DAYS),
        ("known_day", -5),
        ("feed", len(FEEDS)),
        ("classes", 0),
        ("classes", 1 << len(CLASSES)),
        ("sold_as", -1),
        ("area", -2),
        ("fine", -2),
    ],
)
def test_an_impossible_number_is_refused_by_the_name_of_its_column(column: str, value: int) -> None:
    columns = {name: np.array([1, 1]) for name in COLUMNS}
    columns[column] = np.array([1, value])
    with pytest.raises(ValueError, match=column):
        Sightings(FIRST_DAY, N_DAYS, **columns)


@pytest.mark.parametrize("wrong", [np.array([1]), np.array([[1, 1]]), np.array([1.0, np.nan])])
def test_a_column_of_another_shape_or_kind_is_refused_by_its_name(wrong: np.typing.NDArray[np.int64]) -> None:
    columns = {name: np.array([1, 1]) for name in COLUMNS} | {"area": wrong}
    with pytest.raises(ValueError, match="area"):
        Sightings(FIRST_DAY, N_DAYS, **columns)


def test_a_history_of_no_days_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="n_days"):
        made([], 0)


def test_each_class_has_a_bit_of_its_own_and_any_has_none() -> None:
    assert class_bits([SubstanceClass.ANY]) == 0
    assert class_bits(SubstanceClass) == (1 << len(CLASSES)) - 1
    assert len(set(CLASS_BIT.values())) == len(CLASSES)


@given(EVENTS, st.integers(0, N_DAYS - 1))
def test_the_counts_that_calibration_plays_are_those_that_looking_back_sees(
    events: list[Event], today: int
) -> None:
    areas = tuple(AreaCode(f"A{number}") for number in range(5))
    series = tuple((feed, name) for feed in FEEDS for name in SubstanceClass)
    sightings = made(events)
    played = occurrences_of(sightings, areas, series).as_known().advance_to(today)
    seen = counts_of(sightings.as_known(today), areas, series)
    assert np.array_equal(played.counts, seen.counts)
    assert (played.first_day, played.areas, played.series) == (seen.first_day, seen.areas, seen.series)


def test_nothing_to_count_gives_no_rows() -> None:
    assert occurrences_of(made([]), (), ()).day.size == 0
