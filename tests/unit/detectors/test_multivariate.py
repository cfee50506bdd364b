"""Multivariate: the forest is scikit-learn's, the past is seen as it was, and what stands out is named."""

import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from detectors import multivariate_forest
from detectors.completeness import share_known
from detectors.contract import Look
from detectors.multivariate import MOST_ROWS, Multivariate
from detectors.multivariate_features import LAGS, features_as_known, features_of, feeds_of
from detectors.multivariate_forest import ROWS_A_TREE, SEED, TREES, forest_of, tail_chance
from detectors.sightings import FEEDS, Sightings
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

from .conftest import County

DAYS = 500
ROWS = np.random.default_rng(3).gamma(1.0, 1.0, (600, 8)).round(3)


def combined(county: County) -> Sightings:
    """A history that ends with a little more than usual of everything in one area."""
    events = county.events(DAYS)
    for feed in (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS, Feed.SUSPECTED_DEATHS):
        events = county.with_events(events, feed, SubstanceClass.OPIATE, [-1, -1, -2, -2, -3], area=1)
    return events


class TestForest:
    def test_it_is_scikit_learns_to_rounding(self) -> None:
        model = IsolationForest(n_estimators=TREES, max_samples=ROWS_A_TREE, random_state=SEED).fit(ROWS)
        others = np.random.default_rng(4).gamma(2.0, 2.0, (50, 8))
        assert forest_of(ROWS).anomalies(others) == pytest.approx(-model.score_samples(others), abs=1e-12)

    def test_it_is_the_same_whether_remembered_or_not(self) -> None:
        first = forest_of(ROWS)
        assert forest_of(ROWS.copy()) is first
        multivariate_forest._memo.clear()
        again = forest_of(ROWS)
        assert again is not first
        assert np.array_equal(again.anomalies(ROWS), first.anomalies(ROWS))

    def test_it_forgets_the_forest_used_longest_ago(self) -> None:
        for number in range(12):
            forest_of(ROWS[:20] + number)
        assert len(multivariate_forest._memo) == 8

    def test_a_row_far_from_all_others_is_the_most_unusual(self) -> None:
        forest = forest_of(ROWS)
        far, near = forest.anomalies(np.stack([ROWS.max(axis=0) * 2, np.median(ROWS, axis=0)]))
        assert far > forest.trained[-1] * 0.99 > near

    @pytest.mark.parametrize(
        "rows", [ROWS[:1], np.full((9, 2), np.nan), np.zeros(4), np.full((9, 2), np.inf)]
    )
    def test_rows_that_are_no_table_of_numbers_are_refused_by_name(self, rows: np.ndarray[Any, Any]) -> None:
        with pytest.raises(ValueError, match="rows"):
            forest_of(rows)

    def test_rows_that_are_all_alike_are_no_error(self) -> None:
        forest = forest_of(np.zeros((300, 4)))
        chance = forest.chance(forest.anomalies(np.zeros((2, 4))))
        assert (chance > 0.9).all()

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.floats(0.3, 0.7), min_size=5, max_size=60), st.floats(0.2, 0.99), st.floats(0.0, 0.3))
    def test_a_greater_anomaly_is_never_more_likely(
        self, values: list[float], at: float, more: float
    ) -> None:
        trained = np.sort(np.array(values))
        low, high = tail_chance(trained, np.array([at, at + more]))
        assert 0 < high <= low + 1e-12 <= 1 + 1e-12

    def test_the_tail_is_as_often_reached_as_it_says(self) -> None:
        rng = np.random.default_rng(9)
        trained = np.sort(rng.exponential(0.02, 1000) + 0.4)
        fresh = rng.exponential(0.02, 200_000) + 0.4
        for wanted in (0.05, 0.01, 0.002):
            realised = (tail_chance(trained, fresh) <= wanted).mean()
            assert wanted / 1.5 < realised < wanted * 1.5


class TestFeatures:
    def test_the_past_is_as_a_look_on_that_day_would_have_seen_it(self, county: County) -> None:
        events = county.events(200, seed=6)
        past = county.past(events)
        feeds = feeds_of(past.baseline)
        for end in (60, 133, 190):
            seen = events.as_known(end)
            now = features_of(county.counted(seen), past.baseline, county.completeness, feeds)
            then = features_as_known(events, past.baseline, county.completeness, feeds, np.array([end]))
            assert np.array_equal(now.observed, then.observed)
            assert now.expected == pytest.approx(then.expected)
            assert now.values == pytest.approx(then.values)

    def test_they_count_what_was_known_in_each_window(self, county: County) -> None:
        events = county.events(150, seed=2)
        past = county.past(events)
        feeds = feeds_of(past.baseline)
        end = 120
        features = features_as_known(events, past.baseline, county.completeness, feeds, np.array([end]))
        usual = past.baseline.expected(events.first_day, events.n_days)
        for number, feed in enumerate(feeds):
            row = county.series.index((feed, SubstanceClass.ANY))
            for column, lag in enumerate(LAGS):
                for area in range(len(county.areas)):
                    mine = (events.feed == FEEDS.index(feed)) & (events.area == area)
                    mine &= (events.day > end - lag) & (events.day <= end) & (events.known_day <= end)
                    assert features.observed[area, number, column] == mine.sum()
                    known = share_known(county.completeness[feed], np.arange(lag))
                    mean = sum(usual[row, end - age, area] * known[age] for age in range(lag))
                    assert features.expected[area, number, column] == pytest.approx(mean)

    def test_fewer_than_usual_is_as_usual(self, county: County) -> None:
        past = county.past(county.events(200))
        nothing = features_of(
            county.empty_cube(30), past.baseline, county.completeness, feeds_of(past.baseline)
        )
        assert not nothing.values.any()

    def test_a_feed_that_never_gave_a_record_has_no_feature(self, county: County) -> None:
        events = county.events(300)
        kept = events.feed != FEEDS.index(Feed.SUSPECTED_DEATHS)
        columns = {name: getattr(events, name)[kept] for name in ("day", "known_day", "feed", "classes")}
        columns |= {name: getattr(events, name)[kept] for name in ("sold_as", "area", "fine")}
        past = county.past(Sightings(events.first_day, events.n_days, **columns))
        assert Feed.SUSPECTED_DEATHS not in feeds_of(past.baseline)


class TestWhatIsTold:
    def _look(self, county: County) -> tuple[Multivariate, Look]:
        detector = Multivariate()
        return detector, county.looked_at(combined(county), detector)

    def test_a_little_more_of_everything_in_one_area_stands_out(self, county: County) -> None:
        detector, look = self._look(county)
        found = detector.detect(look)[0]
        assert found.areas == ("A1",)
        assert found.tier is Tier.RECORD
        assert len(found.feeds) > 1
        assert found.p_value < 0.02
        assert "together unusual" in found.sentence

    def test_the_parts_name_the_feeds_that_make_it_unusual(self, county: County) -> None:
        detector, look = self._look(county)
        found = detector.detect(look)[0]
        named = {str(found.parameters[f"part_{place}"]).split(":")[0] for place in (1, 2, 3)}
        assert named <= {item.value for item in found.feed_names} | {feed.value for feed in Feed}
        assert str(found.parameters["part_1"]).split(":")[0] in {item.value for item in found.feed_names}

    def test_calibration_is_told_the_same(self, county: County) -> None:
        detector, look = self._look(county)
        assert [(round(one.score, 4), one.areas) for one in detector.alarms(look, 3)] == [
            (one.parameters["score"], 1 << county.areas.index(AreaCode(one.areas[0])))
            for one in detector.detect(look)
            if float(one.parameters["score"]) >= 1.0
        ]

    @pytest.mark.parametrize("days", [30, 110])
    def test_too_short_a_past_teaches_nothing(self, county: County, days: int) -> None:
        assert Multivariate().learn(county.past(county.events(days))) is None

    def test_what_it_keeps_is_a_small_table(self, county: County) -> None:
        learnt = Multivariate().learn(county.past(county.events(DAYS)))
        rows = cast(dict[str, Any], learnt)["rows"]
        assert len(rows) == MOST_ROWS
        assert {len(row) for row in rows} == {len(Feed) * len(LAGS)}
        assert len(json.dumps(learnt)) < 150_000

    def test_a_feed_that_the_cube_lacks_is_refused_by_name(self, county: County) -> None:
        detector, look = self._look(county)
        one = county.only(Feed.AMBULANCE_NALOXONE)
        other = one.counted(combined(county))
        with pytest.raises(ValueError, match="learnt"):
            detector.detect(replace(look, cube=other))

    @pytest.mark.parametrize("learnt", [{"rows": "none"}, 7, {"feeds": [], "rows": [["x"]]}])
    def test_something_else_in_its_place_is_refused_by_name(self, county: County, learnt: Any) -> None:  # noqa: ANN401 (any JSON)
        detector, look = self._look(county)
        with pytest.raises(ValueError, match="learnt"):
            detector.detect(replace(look, learnt={"multivariate": learnt}))

    @settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.permutations(range(5)))
    def test_the_names_of_areas_do_not_matter(self, county: County, order: list[int]) -> None:
        detector, look = self._look(county)
        place = np.array(order)
        moved = replace(
            look,
            cube=replace(look.cube, counts=look.cube.counts[:, :, [*place, 5]]),
            baseline=replace(
                look.baseline,
                shares=look.baseline.shares[:, place],
                share_shapes=look.baseline.share_shapes[:, place],
            ),
        )
        code = {county.areas[new]: county.areas[old] for new, old in enumerate(order)}
        assert sorted(
            (code[AreaCode(one.areas[0])], one.observed) for one in detector.detect(moved)
        ) == sorted((one.areas[0], one.observed) for one in detector.detect(look))

    def test_a_quiet_year_has_about_as_many_records_as_its_tail_says(self, county: County) -> None:
        detector = Multivariate()
        events = county.events(900, seed=4)
        past = county.past(events, days_ago=365)
        learnt = {detector.name: detector.learn(past)}
        days = hits = 0
        for today in range(540, 899, 5):
            seen = events.as_known(today, 60)
            look = replace(county.look(county.counted(seen), past.baseline), learnt=learnt, sightings=None)
            days += 1
            hits += any(alarm.score >= 1.0 for alarm in detector.alarms(look, today))
        # A score of 1 is one look in ten at most; windows overlap and the level drifts.
        assert hits <= 0.25 * days
