"""The calendar's terms: weekdays, bank holidays, the working day after them, and the seasons a history can teach."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.terms import (
    AFTER,
    FIRST_WAVE,
    HOLIDAY,
    N_TERMS,
    active_terms,
    calendar_terms,
    working_day_after,
)

EASTER = {date(2024, 3, 29), date(2024, 4, 1)}
CHRISTMAS = {date(2023, 12, 25), date(2023, 12, 26), date(2024, 1, 1)}


def test_every_day_has_exactly_its_own_weekday() -> None:
    terms = calendar_terms(date(2024, 2, 28), 14, ())
    assert np.array_equal(terms[:, :7].sum(axis=1), np.ones(14))
    assert [int(row.argmax()) for row in terms[:, :7]] == [
        (date(2024, 2, 28) + timedelta(days=day)).weekday() for day in range(14)
    ]


def test_the_working_day_after_easter_is_its_tuesday() -> None:
    assert {working_day_after(day, EASTER) for day in EASTER} == {date(2024, 4, 2)}


def test_a_holiday_before_the_first_day_still_makes_the_next_working_day_busy() -> None:
    terms = calendar_terms(date(2023, 12, 27), 3, CHRISTMAS)
    assert terms[:, AFTER].tolist() == [1.0, 0.0, 0.0]
    assert not terms[:, HOLIDAY].any()


def test_the_same_day_has_the_same_terms_wherever_the_history_begins() -> None:
    whole = calendar_terms(date(2023, 12, 1), 60, CHRISTMAS)
    for start in range(0, 59, 7):
        part = calendar_terms(date(2023, 12, 1) + timedelta(days=start), 60 - start, CHRISTMAS)
        assert part == pytest.approx(whole[start:])


def test_a_wave_comes_back_after_the_year_it_is_told() -> None:
    terms = calendar_terms(date(2024, 1, 1), 365, (), 364.0)
    assert terms[364, FIRST_WAVE:] == pytest.approx(terms[0, FIRST_WAVE:])


@given(st.integers(0, 4000))
def test_a_longer_history_never_teaches_fewer_terms(days: int) -> None:
    shorter, longer = active_terms(days), active_terms(days + 1)
    assert shorter.shape == (N_TERMS,)
    assert not (shorter & ~longer).any()
    assert shorter[:FIRST_WAVE].all()
    assert bool(shorter[FIRST_WAVE]) == (days >= 364)
