"""The Kent benchmark tunes every system in the same coin, and sums runs up as it says."""

import numpy as np
import pytest

from benchmarks.kent_county import SIZES, Planned
from benchmarks.kent_scores import (
    Outcome,
    median_delay_at,
    outcome,
    overlaps,
    share_within,
    smallest_found,
)
from benchmarks.kent_systems import Telling
from benchmarks.kent_tuning import (
    episodes,
    passing,
    per_year,
    tuned_by_shares,
    tuned_jointly,
    tuned_to_whole,
)
from streams.simulation.event_records import OPIOID
from streams.simulation.injections import Injected, Injection, Shape


def _telling(
    day: int, score: float = 1.0, *, family: str = "a", areas: int = 1, may_page: bool = True
) -> Telling:
    return Telling(day, 1, score, family, areas, may_page=may_page)


def _noise(seed: int, family: str, scale: float, days: int = 7300) -> list[Telling]:
    rng = np.random.default_rng(seed)
    return [
        _telling(int(day), float(score), family=family, areas=1 << int(area))
        for day, score, area in zip(
            np.sort(rng.integers(0, days, 1500)),
            rng.exponential(scale, 1500),
            rng.integers(0, 13, 1500),
            strict=True,
        )
    ]


def test_alarms_of_one_place_within_a_fortnight_are_one_episode() -> None:
    assert episodes([_telling(1), _telling(10), _telling(20)]) == 1
    assert episodes([_telling(1), _telling(40)]) == 2
    assert episodes([_telling(1), _telling(1, areas=2)]) == 2


def test_joint_tuning_spends_the_budget_whatever_the_scale_of_each_feeds_score() -> None:
    years = 20.0
    history = sorted([*_noise(1, "a", 1.0), *_noise(2, "b", 100.0)], key=lambda one: one.day)
    tuned = tuned_jointly([history], years, 4.0)
    assert tuned.per_year == pytest.approx(4.0, abs=0.3)
    assert per_year([history], tuned.thresholds, years) == pytest.approx(tuned.per_year, abs=0.11)
    alone = [per_year([history], {name: tuned.thresholds[name]}, years) for name in ("a", "b")]
    assert min(alone) > 1.4


def test_what_may_not_page_never_does_but_may_ask_for_a_review() -> None:
    tellings = [_telling(1, 9.0, may_page=False), _telling(2, 9.0)]
    assert passing(tellings, {"a": 5.0}) == [tellings[1]]
    assert passing(tellings, {"a": 5.0}, pages=False) == tellings
    assert passing(tellings, {"b": 5.0}) == []


def test_shares_are_kept_by_each_family_alone() -> None:
    years = 20.0
    history = sorted([*_noise(3, "a", 1.0), *_noise(4, "b", 1.0)], key=lambda one: one.day)
    tuned = tuned_by_shares([history], years, {"a": 3.0, "b": 1.0})
    assert per_year([history], {"a": tuned.thresholds["a"]}, years) == pytest.approx(3.0, abs=0.5)
    assert per_year([history], {"b": tuned.thresholds["b"]}, years) == pytest.approx(1.0, abs=0.4)


def _truth(areas: frozenset[int] = frozenset({0})) -> Injected:
    injection = Injection(OPIOID, Shape.DISTRICT, 5, 14)
    return Injected(injection, 100, 110, 100, areas, frozenset({3}))


def test_only_an_alarm_of_the_right_place_and_time_finds_an_outbreak() -> None:
    truth = _truth()
    assert overlaps(Telling(105, 7, 1.0, "a", 0b1), truth, 0b1)
    assert not overlaps(Telling(105, 7, 1.0, "a", 0b10), truth, 0b1)
    assert not overlaps(Telling(99, 7, 1.0, "a", 0b1), truth, 0b1)
    assert not overlaps(Telling(120, 3, 1.0, "a", 0b1), truth, 0b1)


def test_the_delay_counts_from_the_first_casualty_and_a_miss_counts_28_days() -> None:
    plan = Planned("district, opioid", Injection(OPIOID, Shape.DISTRICT, 5, 14), 0, 0)
    found = outcome(plan, _truth(), [Telling(104, 3, 1.0, "a", 0b11), Telling(103, 3, 1.0, "b", 0b1)], [])
    assert (found.delay, found.family, found.jaccard) == (3.0, "b", 1.0)
    missed = outcome(plan, _truth(), [], [Telling(106, 3, 1.0, "a", 0b1)])
    assert (missed.delay, missed.chance_delay) == (28.0, 6.0)


def _outcomes(shares: dict[int, float]) -> list[Outcome]:
    return [
        Outcome(
            Planned("x", Injection(OPIOID, Shape.DISTRICT, size, 3), number % 3, number),
            2.0 if number < 20 * shares[size] else 28.0,
            1.0,
            float("nan"),
            "",
            "a",
            28.0,
        )
        for size in SIZES
        for number in range(20)
    ]


def test_the_smallest_size_is_interpolated_on_its_logarithm() -> None:
    some = _outcomes({3: 0.0, 5: 0.25, 8: 0.75, 12: 1.0, 20: 1.0})
    assert smallest_found(some) == pytest.approx(np.sqrt(5 * 8))
    assert smallest_found(_outcomes(dict.fromkeys(SIZES, 0.4))) == np.inf
    assert smallest_found(_outcomes(dict.fromkeys(SIZES, 0.6))) == SIZES[0]
    assert share_within(some, 7) == pytest.approx(0.6)


def test_the_median_delay_is_that_of_the_size() -> None:
    some = _outcomes({3: 0.0, 5: 0.25, 8: 0.75, 12: 1.0, 20: 1.0})
    assert median_delay_at(some, 3) == 28
    assert median_delay_at(some, 12) == 2


def test_shares_grow_until_merged_pages_are_the_budget() -> None:
    years = 20.0
    told = _noise(5, "a", 1.0)
    # The second family mostly repeats the first: additive shares leave half of the budget unspent.
    both = sorted([*told, *(one._replace(family="b") for one in told)], key=lambda one: one.day)
    shares = {"a": 2.0, "b": 2.0}
    added = tuned_by_shares([both], years, shares)
    whole = tuned_to_whole([both], years, shares, {"c": 1.0}, 4.0)
    assert added.per_year < 2.6
    assert 3.4 < whole.per_year <= 4.0
    assert whole.thresholds["c"] == 1.0
