"""The thresholds that come with Tocsin, and what holds where there are none."""

from pathlib import Path

import pytest

from detectors.budget import AREA_COUNTS, FUSION, Budget
from detectors.tripwire_thresholds import CONCURRENT, SCENE, WATCH_LIST
from schemas.vocabulary import Jurisdiction, Tier
from tocsin.calibration import fingerprint
from tocsin.learnt import ThresholdsError, learnt_for

KENT = Jurisdiction("kent-and-medway")


def test_the_shipped_thresholds_were_learnt_by_this_very_model() -> None:
    """Fails when simulator or detectors changed: run ``python -m tocsin.calibration`` again."""
    assert learnt_for(KENT, None).fingerprint == fingerprint()


def test_the_whole_page_budget_is_spent_and_no_more() -> None:
    learnt = learnt_for(KENT, None)
    tripwires = learnt.tripwires
    together = learnt.counts.pages_together
    assert together is not None
    spent = together.realised_per_year
    spent += tripwires.base_rate(SCENE).per_year(tripwires.scene_page)
    spent += tripwires.base_rate(CONCURRENT).per_year(tripwires.concurrent_page)
    spent += Budget().episodes_per_year(WATCH_LIST, Tier.PAGE)  # which it may spend whole
    assert spent == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("family", [AREA_COUNTS, FUSION])
def test_a_page_needs_a_higher_score_than_a_review_and_a_record_no_more_than_that(family: str) -> None:
    scores = learnt_for(KENT, None).counts.families[family].scores
    assert scores[Tier.PAGE] > scores[Tier.REVIEW] >= scores[Tier.RECORD]


def test_nothing_that_rests_on_counts_alone_pages_where_nobody_calibrated() -> None:
    stated = learnt_for(Jurisdiction("elsewhere"), None)
    assert not stated.is_calibrated
    assert all(stated.counts.disposition(family, 100.0) is not Tier.PAGE for family in stated.counts.families)
    assert stated.counts.disposition(AREA_COUNTS, 100.0) is Tier.REVIEW


def test_a_file_of_thresholds_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(ThresholdsError, match="cannot be read"):
        learnt_for(KENT, tmp_path / "missing.json")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}", encoding="utf-8")
    with pytest.raises(ThresholdsError, match="not of the form"):
        learnt_for(KENT, wrong)
    shipped = learnt_for(KENT, None)
    wrong.write_text(shipped.model_dump_json(), encoding="utf-8")
    with pytest.raises(ThresholdsError, match="not for elsewhere"):
        learnt_for(Jurisdiction("elsewhere"), wrong)
    assert learnt_for(KENT, wrong) == shipped
