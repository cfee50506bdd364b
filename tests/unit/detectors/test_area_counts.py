"""Area counts: what it says is what the cube holds, and what is impossible it refuses by name.

What it must do as every detector must is in ``test_conformance.py``.
"""

import re
from dataclasses import replace

import numpy as np
import pytest

from detectors.area_counts import plain_number
from detectors.budget import FamilyThresholds, Thresholds
from detectors.contract import Detector
from detectors.history import CountCube, OccurrenceHistory
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

from .conftest import County

DAYS = 500


@pytest.fixture
def detector(county: County) -> Detector:
    return county.detector()


@pytest.fixture
def outbreak(county: County) -> CountCube:
    return county.with_cases(county.cube(DAYS), Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, 2, [2, 3, 3])


def test_the_order_in_which_records_arrive_does_not_matter(county: County, detector: Detector) -> None:
    history = county.history(DAYS, seed=3)
    shuffled = np.random.default_rng(1).permutation(history.day.size)
    other = OccurrenceHistory(
        history.first_day,
        history.n_days,
        history.areas,
        history.series,
        *(
            column[shuffled]
            for column in (history.day, history.known_day, history.area, history.series_index)
        ),
    )
    looks = [county.look(item.as_known().advance_to(DAYS - 1)) for item in (history, other)]
    assert looks[0].baseline.to_json() == looks[1].baseline.to_json()
    assert detector.detect(looks[0]) == detector.detect(looks[1])


def test_the_key_stays_the_same_on_the_next_day(
    county: County, detector: Detector, outbreak: CountCube
) -> None:
    quiet_day = np.zeros((outbreak.counts.shape[0], 1, outbreak.counts.shape[2]), dtype=np.int32)
    tomorrow = replace(outbreak, counts=np.concatenate([outbreak.counts, quiet_day], axis=1))
    baseline = county.fit(outbreak)
    today, next_day = (detector.detect(county.look(cube, baseline))[0] for cube in (outbreak, tomorrow))
    assert today.key == next_day.key
    assert (next_day.window_end - today.window_end).days == 1


@pytest.mark.parametrize("days", [1, 2, 10, 60, 400])
def test_an_empty_history_gives_no_alarm_and_no_crash(county: County, detector: Detector, days: int) -> None:
    cube = county.empty_cube(days)
    baseline = county.fit(county.empty_cube(days + 7))
    assert detector.detect(county.look(cube, baseline)) == []


def test_records_that_come_late_are_found_when_they_come(county: County, detector: Detector) -> None:
    quiet = county.cube(DAYS)
    baseline = county.fit(quiet)
    late = county.with_cases(quiet, Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, 1, [3, 4, 3, 0, 0, 0])
    found = detector.detect(county.look(late, baseline))
    assert [signal.areas for signal in found if signal.tier is Tier.PAGE] == [("A1",)]
    assert found[0].window_start <= found[0].window_end == late.last_day
    assert (found[0].window_end - found[0].window_start).days >= 5


def test_the_sentence_says_the_numbers_of_the_signal(
    county: County, detector: Detector, outbreak: CountCube
) -> None:
    look = county.look(outbreak)
    lax = Thresholds(
        model_version="lax", families={detector.family: FamilyThresholds(scores={Tier.RECORD: 0.0})}
    )
    signals = detector.detect(replace(look, thresholds=lax))
    assert len(signals) > 1
    for signal in signals:
        days = (signal.window_end - signal.window_start).days + 1
        end = signal.window_end
        assert re.search(rf": {signal.observed} [a-zA-Z&]", signal.sentence)
        assert f"{plain_number(signal.expected)} would be usual" in signal.sentence
        assert (f"in the {days} days to " if days > 1 else " on ") in signal.sentence
        assert f" {end.day} {end:%b} {end.year} " in signal.sentence
        assert signal.observed == sum(item.observed for item in signal.feeds)
        assert signal.interval[0] <= signal.expected + 1
        assert signal.interval[1] < signal.observed


def test_a_signal_counts_what_the_cube_holds(county: County, detector: Detector, outbreak: CountCube) -> None:
    for signal in detector.detect(county.look(outbreak)):
        row = county.series.index((signal.feeds[0].feed, signal.substance_class))
        days = (signal.window_end - signal.window_start).days + 1
        columns = [county.areas.index(code) if code in county.areas else -1 for code in signal.areas]
        assert signal.observed == outbreak.counts[row, -days:][:, columns].sum()


def test_counts_below_zero_are_refused_by_name(county: County, detector: Detector) -> None:
    cube = county.cube(DAYS)
    baseline = county.fit(cube)
    counts = cube.counts.copy()
    counts[0, -1, 0] = -1
    with pytest.raises(ValueError, match="counts"):
        detector.detect(county.look(replace(cube, counts=counts), baseline))


@pytest.mark.parametrize("law", [[0.5, np.nan], [-0.1, 1.0], [0.9, 0.5], [0.5, 1.5], []])
def test_an_impossible_completeness_is_refused_by_name(
    county: County, detector: Detector, law: list[float]
) -> None:
    look = county.look(county.cube(DAYS))
    wrong = replace(look, completeness={Feed.DRUG_CHECKING: np.array(law)})
    with pytest.raises(ValueError, match="completeness"):
        detector.detect(wrong)


def test_a_baseline_of_other_areas_is_refused_by_name(county: County, detector: Detector) -> None:
    look = county.look(county.cube(DAYS))
    other = replace(look.baseline, areas=tuple(reversed(look.baseline.areas)))
    with pytest.raises(ValueError, match="baseline"):
        detector.detect(replace(look, baseline=other))
