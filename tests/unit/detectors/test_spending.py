"""How far shares of pages grow where families tell of the same clusters."""

from collections.abc import Mapping

import numpy as np
import pytest

from detectors.episodes import Alarm
from detectors.spending import MOST_GROWTH, growth, loudest, merged_pages
from schemas.substances import SubstanceClass

YEARS = 100.0
Pages = list[Mapping[str, tuple[Alarm, ...]]]


def alarm(day: int, score: float, *, areas: int = 1, may_page: bool = True) -> Alarm:
    return Alarm(day, 1, score, areas, SubstanceClass.ANY, may_page)


def family(seed: int, number: int = 400) -> tuple[Alarm, ...]:
    """Alarms two months apart, each at an exponential score: at or above s are ``number * exp(-s)``."""
    scores = np.random.default_rng(seed).exponential(1.0, number)
    return tuple(alarm(60 * day, float(score)) for day, score in enumerate(scores))


def scores_at(factor: float) -> dict[str, float]:
    """Each family's share is one page a year, 100 of its 400 alarms."""
    score = float(np.log(400 / (100 * factor)))
    return {"one": score, "other": score}


def test_families_that_always_tell_the_same_clusters_may_spend_as_if_they_were_one() -> None:
    pages: Pages = [{"one": family(1), "other": family(1)}]
    factor = growth(pages, YEARS, 2.0, scores_at)
    assert factor == pytest.approx(2.0, rel=0.15)
    assert sum(merged_pages(pages, scores_at(factor))) / YEARS == pytest.approx(2.0, rel=0.05)


def test_families_that_never_tell_the_same_cluster_keep_their_shares() -> None:
    elsewhere = tuple(alarm(one.day, one.score, areas=2) for one in family(2))
    assert growth([{"one": family(1), "other": elsewhere}], YEARS, 2.0, scores_at) == 1.0
    assert growth([{"one": (), "other": ()}], YEARS, 2.0, scores_at) == 1.0


def test_growth_stops_somewhere() -> None:
    few = (alarm(0, 9.0), alarm(60, 9.0))
    assert growth([{"one": few, "other": few}], YEARS, 2.0, scores_at) == MOST_GROWTH


def test_a_family_without_a_threshold_never_pages() -> None:
    assert merged_pages([{"one": family(1), "other": family(2)}], {"one": 100.0}) == [0]


def test_only_what_may_page_is_kept_and_the_strongest_of_it() -> None:
    many = [alarm(day, day / 1000, may_page=day % 2 == 0) for day in range(2000)]
    kept = loudest(many, 1.0)
    assert len(kept) == 251
    assert all(one.may_page for one in kept)
    assert min(one.score for one in kept) > 1.49
