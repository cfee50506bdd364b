"""The budget and the thresholds: what a score comes to, and how rare it is said to be."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.budget import (
    AREA_COUNTS,
    FUSION,
    MOST_EXTRAPOLATED_DAYS,
    Budget,
    FamilyThresholds,
    RateCurve,
    Thresholds,
)
from schemas.vocabulary import Tier

CURVE = RateCurve(scores=(2.0, 3.0, 4.0, 5.0), episodes_per_year=(40.0, 20.0, 4.0, 0.5), tail_rate=2.0)
LEARNT = Thresholds(
    model_version="m",
    families={
        AREA_COUNTS: FamilyThresholds(
            scores={Tier.RECORD: 2.5, Tier.REVIEW: 3.0, Tier.PAGE: 4.5}, curve=CURVE
        )
    },
    years=40,
    seed=7,
)


def test_the_default_shares_are_four_pages_a_year_and_two_reviews_a_week() -> None:
    budget = Budget()
    assert budget.episodes_per_year(AREA_COUNTS, Tier.PAGE) == pytest.approx(1.0)
    assert budget.episodes_per_year(FUSION, Tier.PAGE) == pytest.approx(1.6)
    assert budget.episodes_per_year("tripwire_scene", Tier.PAGE) == pytest.approx(1.4 / 3)
    assert budget.episodes_per_year(AREA_COUNTS, Tier.REVIEW) == pytest.approx(26, abs=0.5)
    assert sum(budget.page_shares.values()) == pytest.approx(1)
    assert sum(budget.review_shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("family", ["novelty", "slow_onset", "multivariate"])
def test_families_without_a_share_of_the_pages_may_only_ask_for_reviews(family: str) -> None:
    assert Budget().episodes_per_year(family, Tier.PAGE) == 0
    assert Budget().episodes_per_year(family, Tier.REVIEW) > 0


def test_shares_that_spend_more_than_the_budget_are_refused() -> None:
    with pytest.raises(ValueError, match="page_shares"):
        Budget(page_shares={"a": 0.7, "b": 0.4})


@pytest.mark.parametrize(
    ("score", "tier"),
    [(2.4, None), (2.5, Tier.RECORD), (3.0, Tier.REVIEW), (4.49, Tier.REVIEW), (9.0, Tier.PAGE)],
)
def test_a_score_asks_for_the_highest_tier_it_reaches(score: float, tier: Tier | None) -> None:
    assert LEARNT.disposition(AREA_COUNTS, score) is tier


def test_a_family_without_thresholds_asks_for_nothing() -> None:
    assert LEARNT.disposition("unheard_of", 99.0) is None
    assert LEARNT.lowest("unheard_of") == math.inf


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="score"):
        LEARNT.disposition(AREA_COUNTS, math.nan)


@given(st.floats(0.02, 39.9))
def test_the_score_for_a_rate_has_that_rate(rate: float) -> None:
    assert CURVE.rate(CURVE.score_for(rate)) == pytest.approx(rate, rel=1e-9)


@given(st.floats(0, 30), st.floats(0, 30))
def test_a_higher_score_is_never_said_to_be_more_common(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert CURVE.recurrence(low).days <= CURVE.recurrence(high).days <= MOST_EXTRAPOLATED_DAYS


def test_a_recurrence_interval_says_when_it_was_not_seen_but_extrapolated() -> None:
    assert CURVE.recurrence(4.0).days == pytest.approx(365.25 / 4)
    assert not CURVE.recurrence(4.0).extrapolated
    assert CURVE.recurrence(5.5).extrapolated
    assert not CURVE.recurrence(5.5).capped
    assert CURVE.recurrence(50.0).days == MOST_EXTRAPOLATED_DAYS
    assert CURVE.recurrence(50.0).capped


def test_thresholds_come_back_from_json_as_they_were() -> None:
    assert Thresholds.model_validate_json(LEARNT.model_dump_json()) == LEARNT


def test_a_curve_that_rises_is_refused() -> None:
    with pytest.raises(ValueError, match="episodes_per_year"):
        RateCurve(scores=(1.0, 2.0), episodes_per_year=(1.0, 2.0), tail_rate=1.0)


def test_intake_can_ask_for_a_disposition_without_loading_numerics() -> None:
    code = "import sys, detectors.budget; sys.exit(bool({'numpy', 'scipy', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_family_in_which_some_feeds_cannot_page_tells_their_rates_apart() -> None:
    rarer = CURVE.model_copy(update={"episodes_per_year": (20.0, 10.0, 2.0, 0.25)})
    learnt = LEARNT.with_family(
        AREA_COUNTS, LEARNT.families[AREA_COUNTS].model_copy(update={"page_curve": rarer})
    )
    every, paging = (learnt.recurrence(AREA_COUNTS, 4.0, may_page=only).days for only in (False, True))
    assert paging == pytest.approx(2 * every)
    assert LEARNT.recurrence(AREA_COUNTS, 4.0, may_page=True).days == pytest.approx(every)
