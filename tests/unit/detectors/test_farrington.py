"""Farrington flexible: R's own answers, the rules that any fair test obeys, and arguments that are refused."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from detectors.farrington import Farrington, farrington_flexible

Mode = Literal["parity", "tocsin"]
MODES: tuple[Mode, Mode] = ("parity", "tocsin")
GOLDEN = Path(__file__).parents[2] / "golden"
SEEDS = st.integers(0, 10_000)
FEW = settings(deadline=None, max_examples=15)


def _judge(counts: ArrayLike, weeks: ArrayLike, mode: Mode = "tocsin") -> Farrington:
    return farrington_flexible(counts, weeks, mode=mode, parallel=False)


def _equal(one: Farrington, other: Farrington) -> bool:
    names = ("expected", "dispersion", "upper", "p_value", "p_exact", "alarm")
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names[:-1]
    ) and (np.array_equal(one.alarm, other.alarm))


def _counts(seed: int, n_series: int = 4, n_weeks: int = 330) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    mean = 10 ** rng.uniform(-2, 2.5, (n_series, 1))
    season = rng.uniform(0, 1, (n_series, 1)) * np.cos(
        2 * np.pi * np.arange(n_weeks) / 52 + rng.uniform(0, 6)
    )
    phi = rng.uniform(1.01, 4, (n_series, 1))
    return rng.negative_binomial(mean * np.exp(season) / (phi - 1), np.broadcast_to(1 / phi, season.shape))


def test_parity_mode_answers_as_r_does_on_every_kind_of_series() -> None:
    counts = np.loadtxt(GOLDEN / "farrington.counts.csv", delimiter=",", dtype=np.int64)
    theirs = np.genfromtxt(GOLDEN / "farrington.answers.csv", delimiter=",", names=True, missing_values="NA")
    theirs = theirs.reshape(counts.shape[0], -1)
    weeks = theirs["week"][0].astype(int)
    ours = _judge(counts, weeks, "parity")
    assert theirs["alarm"].sum() > 10
    np.testing.assert_array_equal(ours.alarm, theirs["alarm"] == 1)
    np.testing.assert_array_equal(ours.upper, theirs["upper"])
    np.testing.assert_array_equal(np.isnan(ours.expected), np.isnan(theirs["expected"]))
    real = theirs["expected"] > 1e-6
    np.testing.assert_allclose(ours.expected[real], theirs["expected"][real], rtol=1e-7)
    np.testing.assert_allclose(ours.dispersion[real], theirs["dispersion"][real], rtol=1e-7)
    np.testing.assert_allclose(ours.p_exact[real], theirs["p"][real], rtol=1e-6, atol=1e-12)


@FEW
@given(seed=SEEDS, mode=st.sampled_from(MODES))
def test_every_answer_is_a_probability_and_the_bound_agrees_with_the_alarm(seed: int, mode: Mode) -> None:
    counts = _counts(seed)
    weeks = np.arange(300, 330)
    found = _judge(counts, weeks, mode)
    assert found.alarm.shape == (4, 30)
    known = ~np.isnan(found.p_value)
    assert ((found.p_value >= 0) & (found.p_value <= found.p_exact) & (found.p_exact <= 1))[known].all()
    assert (found.dispersion[known] >= 1).all()
    np.testing.assert_array_equal(found.alarm, counts[:, weeks] > np.nan_to_num(found.upper, nan=np.inf))
    if mode == "tocsin":
        assert known.all()
        np.testing.assert_array_equal(found.alarm, found.p_value <= 0.005)


@FEW
@given(seed=SEEDS, order=st.permutations(range(4)), mode=st.sampled_from(MODES))
def test_neither_the_order_of_series_nor_the_company_of_others_matters(
    seed: int, order: list[int], mode: Mode
) -> None:
    counts, weeks = _counts(seed), [329, 310]
    whole = _judge(counts, weeks, mode)
    moved = _judge(counts[order], weeks, mode)
    np.testing.assert_array_equal(moved.p_value, whole.p_value[order])
    alone = _judge(counts[2:3], weeks[:1], mode)
    assert mode == "tocsin" or alone.p_value[0, 0] == whole.p_value[2, 0] or np.isnan(alone.p_value[0, 0])
    assert _equal(farrington_flexible(counts, weeks, mode=mode), whole)


@FEW
@given(seed=SEEDS, extra=st.integers(1, 1000), mode=st.sampled_from(MODES))
def test_more_cases_this_week_are_never_less_surprising(seed: int, extra: int, mode: Mode) -> None:
    counts = _counts(seed)
    more = counts.copy()
    more[:, 329] += extra
    before, after = _judge(counts, [329], mode), _judge(more, [329], mode)
    np.testing.assert_array_equal(before.expected, after.expected)
    known = ~np.isnan(before.p_value)
    assert (after.p_value <= before.p_value + 1e-9)[known].all()
    assert (after.alarm >= before.alarm).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [0, 1, 7, 10**6])
def test_constant_series_raise_no_alarm_and_end(mode: Mode, value: int) -> None:
    assert not _judge(np.full((2, 320), value), [300, 319], mode).alarm.any()


def test_an_outbreak_in_the_past_hardly_moves_what_is_usual() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(10, (40, 330))
    struck = counts.copy()
    struck[:, 200:203] += 60
    quiet, after = _judge(counts, [329]), _judge(struck, [329])
    np.testing.assert_allclose(after.expected, quiet.expected, rtol=0.02)
    np.testing.assert_allclose(after.dispersion, quiet.dispersion, rtol=0.08)


def test_a_rise_over_three_weeks_is_seen_that_no_week_shows_alone() -> None:
    counts = np.random.default_rng(4).poisson(10, (200, 330))
    counts[:, 327:] += 7
    together, alone = _judge(counts, [329]), _judge(counts, [329], "parity")
    assert together.alarm.mean() > alone.alarm.mean() + 0.2


def test_a_few_cases_where_there_are_never_any_are_an_alarm_without_a_rule_for_few() -> None:
    counts = np.zeros((1, 330), dtype=np.int64)
    counts[0, [40, 130, 260]] = 1
    counts[0, 329] = 3
    assert _judge(counts, [329]).alarm.all()
    assert not _judge(counts, [329], "parity").alarm.any()


def test_null_weeks_alarm_about_as_often_as_they_say() -> None:
    counts = np.random.default_rng(5).negative_binomial(4.0, 0.5, (600, 330))
    found = _judge(counts, np.arange(300, 330, 6))
    assert 0.002 < (found.p_value <= 0.005).mean() < 0.008
    assert 0.035 < (found.p_value <= 0.05).mean() < 0.065


def test_nothing_that_was_handed_in_is_changed() -> None:
    counts = _counts(1)
    kept = counts.copy()
    _judge(counts, [329])
    np.testing.assert_array_equal(counts, kept)


@pytest.mark.parametrize(
    ("counts", "weeks", "words"),
    [
        (np.zeros(300, dtype=int), [299], r"counts has the shape \(300,\)"),
        (np.zeros((1, 300)), [299], "counts holds float64"),
        (np.full((1, 300), np.nan), [299], "counts holds float64"),
        (np.full((1, 300), -1), [299], "counts lies from -1"),
        (np.full((1, 300), 2**62), [299], "counts lies from"),
        (np.zeros((1, 300), dtype=int), [300], "weeks lies from 300"),
        (np.zeros((1, 300), dtype=int), [50], "weeks lies from 50"),
        (np.zeros((1, 300), dtype=int), [[299]], "weeks has the shape"),
        (np.zeros((1, 300), dtype=int), [299.0], "weeks holds float64"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_counts_and_weeks_that_cannot_be_used_are_refused_by_name(
    counts: ArrayLike, weeks: ArrayLike, words: str, mode: Mode
) -> None:
    with pytest.raises(ValueError, match=words):
        farrington_flexible(counts, weeks, mode=mode)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"mode": "other"}, "mode is 'other'"),
        ({"b": 1}, "b is 1"),
        ({"w": -1}, "w is -1"),
        ({"n_periods": 5}, "n_periods is 5"),
        ({"past_weeks_not_included": 0}, "past_weeks_not_included is 0"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"limit_54": (5, 0)}, "limit_54"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(setting: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        farrington_flexible(np.zeros((1, 300), dtype=int), [299], **setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_no_series_and_no_weeks_are_no_answers(mode: Mode) -> None:
    assert _judge(np.zeros((0, 300), dtype=int), [299], mode).alarm.shape == (0, 1)
    assert _judge(np.zeros((3, 300), dtype=int), [], mode).alarm.shape == (3, 0)
