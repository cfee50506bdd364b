"""One suite for every detector: what each must do whatever it looks for.

A new detector joins by one line in ``DETECTORS``: how it is made, the highest tier it may ever ask for, and something
that it must find.
"""

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from detectors.area_counts import AreaCounts, plain_number
from detectors.baseline import DAYS_BEFORE_PAGING
from detectors.budget import FamilyThresholds, Thresholds
from detectors.contract import Detector, Look, Past
from detectors.fusion import Fusion
from detectors.multivariate import Multivariate
from detectors.novelty import Novelty
from detectors.sightings import COLUMNS, FEEDS, Sightings
from detectors.slow_onset import SlowOnset
from detectors.terrain import Terrain
from detectors.tripwires import Observation, Seen, TripwireThresholds, evaluate
from detectors.zones import Zones, zones_of
from schemas.events import Response
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

from .conftest import FIRST_DAY, ROOT, County, made_up

DAYS = 800
_C = SubstanceClass
SAME_COUNTY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=12
)


def sudden(county: County, days: int = DAYS, *, late: int = 0) -> Sightings:
    """Return a history that ends with people harmed in three feeds, and a nitazene in what is sold as another thing."""
    events = county.events(days)
    area = min(2, len(county.areas) - 1)
    for feed, name, when in (
        (Feed.AMBULANCE_NALOXONE, _C.OPIATE, [-1, -1, -1, -2, -2, -2, -3, -3]),
        (Feed.ED_PRESENTATIONS, _C.OPIATE, [-1, -1, -2, -2, -2, -3]),
        (Feed.SUSPECTED_DEATHS, _C.OPIATE, [-1, -2]),
    ):
        events = county.with_events(events, feed, name, when, area=area, late=late)
    return county.with_events(
        events,
        Feed.DRUG_CHECKING,
        _C.NITAZENE,
        [-2, -3, -4, -6],
        area=area,
        late=late,
        sold=_C.BENZODIAZEPINE,
    )


def slow(county: County, days: int = DAYS, *, late: int = 0) -> Sightings:
    """Return a history whose last quarter has twice the naloxone."""
    usual = county.events(days)
    when = [int(day) for day in np.repeat(np.arange(-min(100, days), 0), 2)]
    area = min(1, len(county.areas) - 1)
    return county.with_events(usual, Feed.AMBULANCE_NALOXONE, _C.OPIATE, when, area=area, late=late)


@dataclass(frozen=True)
class Case:
    """A detector as the suite meets it."""

    make: Callable[[Zones, Terrain], Detector]
    most: Tier
    outbreak: Callable[..., Sightings] = sudden
    needs_sightings: bool = True


DETECTORS: dict[str, Case] = {
    "area_counts": Case(lambda zones, _: AreaCounts(zones), Tier.PAGE, needs_sightings=False),
    "fusion": Case(lambda _, terrain: Fusion(terrain), Tier.PAGE),
    "multivariate": Case(lambda _, __: Multivariate(), Tier.RECORD, needs_sightings=False),
    "novelty": Case(lambda _, terrain: Novelty(terrain), Tier.REVIEW),
    "slow_onset": Case(lambda zones, _: SlowOnset(zones), Tier.REVIEW, slow, needs_sightings=False),
}


@pytest.fixture(params=sorted(DETECTORS))
def case(request: pytest.FixtureRequest) -> Case:
    return DETECTORS[request.param]


@pytest.fixture
def detector(case: Case, county: County) -> Detector:
    return case.make(county.zones, county.terrain())


@pytest.fixture
def look(case: Case) -> Look:
    return _look_of(case)


@cache
def _look_of(case: Case) -> Look:
    """Make each detector's look once: no test may change it, and the first two of the suite see to that."""
    county = made_up()
    look = county.looked_at(case.outbreak(county), case.make(county.zones, county.terrain()))
    _frozen(look)
    return look


def _frozen(past: Past | Look) -> None:
    """Make every array of a past or a look unwritable."""
    arrays = [past.cube.counts, *past.completeness.values()]
    arrays += [getattr(past.baseline, item.name) for item in fields(past.baseline)]
    if past.sightings is not None:
        arrays += [getattr(past.sightings, name) for name in COLUMNS]
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False


def _said(signals: Sequence[Signal]) -> list[str]:
    return [signal.model_dump_json() for signal in signals]


def _score(signal: Signal) -> float:
    return float(signal.parameters["score"])


class TestWhatItIsGiven:
    def test_is_not_changed_by_a_look(self, detector: Detector, look: Look) -> None:
        learnt = copy.deepcopy(dict(look.learnt))
        thresholds = look.thresholds.model_dump_json()
        assert detector.detect(look)
        assert dict(look.learnt) == learnt
        assert look.thresholds.model_dump_json() == thresholds

    def test_is_not_changed_by_learning(self, case: Case, county: County, detector: Detector) -> None:
        past = county.past(case.outbreak(county))
        _frozen(past)
        assert detector.learn(past) == detector.learn(past)

    def test_may_be_learnt_and_stored_as_json(self, detector: Detector, look: Look) -> None:
        text = json.dumps(look.learnt[detector.name], allow_nan=False)
        stored: JsonValue = json.loads(text)
        assert stored == look.learnt[detector.name]
        again = replace(look, learnt={detector.name: stored, "another": {"not": "its own"}})
        assert _said(detector.detect(again)) == _said(detector.detect(look))

    def test_may_be_learnt_by_another_process(
        self, case: Case, county: County, detector: Detector, look: Look
    ) -> None:
        other = case.make(county.zones, county.terrain())
        past = county.past(case.outbreak(county))
        assert json.dumps(other.learn(past)) == json.dumps(look.learnt[detector.name])
        assert _said(other.detect(look)) == _said(detector.detect(look))


class TestTheSame:
    def test_look_gives_the_same_signals_to_the_byte(self, detector: Detector, look: Look) -> None:
        assert _said(detector.detect(look)) == _said(detector.detect(look))

    @pytest.mark.parametrize("seed", [1, 2])
    def test_events_in_another_order_of_arrival_give_the_same(
        self, case: Case, county: County, detector: Detector, look: Look, seed: int
    ) -> None:
        events = case.outbreak(county)
        order = np.random.default_rng(seed).permutation(len(events))
        other = Sightings(
            events.first_day, events.n_days, **{name: getattr(events, name)[order] for name in COLUMNS}
        )
        shuffled = county.looked_at(other, detector)
        assert shuffled.learnt == look.learnt
        assert _said(detector.detect(shuffled)) == _said(detector.detect(look))

    def test_identity_is_given_once(self, detector: Detector, look: Look) -> None:
        identities = [
            (signal.jurisdiction, signal.detector, signal.key, signal.window_end)
            for signal in detector.detect(look)
        ]
        assert len(identities) == len(set(identities))

    def test_key_is_given_on_the_next_quiet_day(
        self, case: Case, county: County, detector: Detector, look: Look
    ) -> None:
        events = case.outbreak(county)
        longer = Sightings(
            events.first_day, events.n_days + 1, **{name: getattr(events, name) for name in COLUMNS}
        )
        tomorrow = replace(look, cube=county.counted(longer), sightings=longer.as_known(events.n_days, 35))
        strongest = detector.detect(look)[0]
        assert strongest.key in {signal.key for signal in detector.detect(tomorrow)}

    def test_county_ten_times_as_populous_gives_the_same(
        self, case: Case, county: County, detector: Detector, look: Look
    ) -> None:
        larger = replace(county, populations=county.populations * 10)
        other = case.make(larger.zones, larger.terrain())
        found = other.detect(larger.looked_at(case.outbreak(county), other))
        assert [(signal.key, signal.observed, signal.tier) for signal in found] == [
            (signal.key, signal.observed, signal.tier) for signal in detector.detect(look)
        ]


class TestLittleIsKnown:
    @pytest.mark.parametrize("days", [1, 2, 10, 60, 400])
    def test_an_empty_history_gives_no_alarm_and_no_crash(
        self, county: County, detector: Detector, days: int
    ) -> None:
        nothing = np.zeros(0, dtype=np.int64)
        events = Sightings(FIRST_DAY, days + 7, **dict.fromkeys(COLUMNS, nothing))
        assert detector.detect(county.looked_at(events, detector)) == []

    @pytest.mark.parametrize("days", [9, 20, 40])
    def test_a_young_history_opens_no_page(
        self, case: Case, county: County, detector: Detector, days: int
    ) -> None:
        assert days < DAYS_BEFORE_PAGING
        found = detector.detect(county.looked_at(case.outbreak(county, days), detector))
        assert Tier.PAGE not in {signal.tier for signal in found}

    def test_a_look_without_single_events_is_no_error(
        self, case: Case, detector: Detector, look: Look
    ) -> None:
        found = detector.detect(replace(look, sightings=None))
        assert bool(found) is not case.needs_sightings

    def test_a_look_before_anything_was_learnt_is_no_error(self, detector: Detector, look: Look) -> None:
        for signal in detector.detect(replace(look, learnt={})):
            assert signal.family == detector.family

    def test_events_that_no_place_is_known_of_are_no_error(
        self, case: Case, county: County, detector: Detector
    ) -> None:
        events = case.outbreak(county)
        unplaced = replace_columns(events, area=np.full(len(events), -1), fine=np.full(len(events), -1))
        for signal in detector.detect(county.looked_at(unplaced, detector)):
            assert signal.areas == (ROOT,)

    def test_a_ground_without_positions_is_no_error(self, case: Case, county: County) -> None:
        detector = case.make(county.zones, county.terrain(fine=False))
        events = case.outbreak(county)
        unknown = replace_columns(events, fine=np.full(len(events), -1))
        found = detector.detect(county.looked_at(unknown, detector))
        assert all(set(signal.areas) <= {*county.areas, ROOT} for signal in found)

    def test_a_county_of_one_area_is_looked_at_as_any_other(self, case: Case, county: County) -> None:
        alone = _of_areas(county, 1)
        detector = case.make(alone.zones, alone.terrain())
        found = detector.detect(alone.looked_at(case.outbreak(alone), detector))
        assert {code for signal in found for code in signal.areas} <= {"A0", ROOT}
        assert found


class TestOneHugeDay:
    @pytest.mark.parametrize("days_ago", [0, 3, 120])
    def test_is_told_or_passed_over_in_finite_numbers(
        self, case: Case, county: County, detector: Detector, days_ago: int
    ) -> None:
        events = county.events(DAYS)
        for feed in Feed:
            events = county.with_events(events, feed, _C.OPIATE, [-1 - days_ago] * 400)
        for signal in detector.detect(county.looked_at(events, detector)):
            assert 0 <= signal.p_value <= 1
            assert np.isfinite([signal.expected, *signal.interval, _score(signal)]).all()
            assert signal.recurrence_interval_days > 0

    def test_of_last_season_does_not_blind_it(self, case: Case, county: County, detector: Detector) -> None:
        events = county.with_events(
            case.outbreak(county), Feed.AMBULANCE_NALOXONE, _C.OPIATE, [-160] * 60, area=4
        )
        assert detector.detect(county.looked_at(events, detector))


class TestLateRecords:
    def test_change_nothing_before_they_are_known(
        self, case: Case, county: County, detector: Detector
    ) -> None:
        without = detector.detect(county.looked_at(county.events(DAYS), detector))
        unknown = case.outbreak(county, late=DAYS)
        assert _said(detector.detect(county.looked_at(unknown, detector))) == _said(without)

    def test_are_found_when_they_are_known(self, case: Case, county: County, detector: Detector) -> None:
        events = case.outbreak(county)
        last = events.n_days - 1
        # What happened in the last days became known all at once, on the last.
        held = replace_columns(events, known_day=np.where(events.day >= last - 6, last, events.known_day))
        assert detector.detect(county.looked_at(held, detector))


class TestASignal:
    def test_says_its_numbers_in_its_sentence(self, detector: Detector, look: Look) -> None:
        found = detector.detect(look)
        assert found
        for signal in found:
            for item in signal.feeds:
                assert re.search(rf"\b{item.observed} ", signal.sentence), signal.sentence
                assert plain_number(item.expected) in signal.sentence, signal.sentence
            end = signal.window_end
            assert f" {end.day} {end:%b} {end.year}" in signal.sentence
            place = signal.areas[0]
            assert any(look.names[code] in signal.sentence for code in (place, ROOT))

    def test_agrees_with_itself(self, detector: Detector, look: Look) -> None:
        for signal in detector.detect(look):
            assert signal.family == detector.family
            assert signal.detector == detector.name
            assert signal.observed == sum(item.observed for item in signal.feeds)
            # A feed that was looked at and holds nothing adds to what was expected, and is no feed behind it.
            assert sum(item.expected for item in signal.feeds) <= signal.expected + 1e-9
            assert signal.interval[0] <= signal.interval[1]
            assert signal.interval[0] <= signal.expected + 1
            assert list(signal.areas) == sorted(signal.areas)

    def test_counts_no_more_than_happened(
        self, case: Case, county: County, detector: Detector, look: Look
    ) -> None:
        events = case.outbreak(county)
        for signal in detector.detect(look):
            first = (signal.window_start - events.first_day).days
            last = (signal.window_end - events.first_day).days
            for item in signal.feeds:
                own = (events.feed == FEEDS.index(item.feed)) & (events.day >= first) & (events.day <= last)
                if ROOT not in signal.areas:
                    own &= np.isin(events.area, [county.areas.index(code) for code in signal.areas])
                assert item.observed <= own.sum()

    def test_of_the_strongest_comes_first(self, detector: Detector, look: Look) -> None:
        scores = [_score(signal) for signal in detector.detect(look)]
        assert scores == sorted(scores, reverse=True)


class TestTiers:
    def test_its_family_never_asks_for_more_than_it_may(
        self, case: Case, detector: Detector, look: Look
    ) -> None:
        everything = dict.fromkeys(Tier, -100.0)
        lax = Thresholds(model_version="lax", families={detector.family: FamilyThresholds(scores=everything)})
        found = detector.detect(replace(look, thresholds=lax))
        assert found
        assert max(signal.tier.rank for signal in found) <= case.most.rank

    def test_a_family_without_thresholds_says_nothing(self, detector: Detector, look: Look) -> None:
        nobody = Thresholds(model_version="none", families={})
        assert detector.detect(replace(look, thresholds=nobody)) == []

    @pytest.mark.parametrize("scores", [(0.5, 2.0, 3.0), (1.5, 4.0, 5.0), (2.5, 2.5, 9.0)])
    def test_a_signal_reaches_the_threshold_of_its_tier(
        self, detector: Detector, look: Look, scores: tuple[float, float, float]
    ) -> None:
        stated = dict(zip(Tier, scores, strict=True))
        family = FamilyThresholds(scores=stated)
        asked = Thresholds(model_version="stated", families={detector.family: family})
        for signal in detector.detect(replace(look, thresholds=asked)):
            assert _score(signal) >= stated[signal.tier] - 1e-4

    def test_a_higher_threshold_only_takes_signals_away(self, detector: Detector, look: Look) -> None:
        def keys(lowest: float) -> set[str]:
            family = FamilyThresholds(scores={Tier.RECORD: lowest})
            asked = Thresholds(model_version="stated", families={detector.family: family})
            return {signal.key for signal in detector.detect(replace(look, thresholds=asked))}

        assert keys(4.0) <= keys(2.5) <= keys(0.0)


COUNTS = st.lists(
    st.tuples(
        st.integers(0, 139),
        st.integers(0, 3),
        st.sampled_from(list(Feed)),
        st.integers(-1, 5),
        st.sampled_from([_C.NITAZENE, _C.OPIATE, _C.UNKNOWN]),
        st.integers(1, 30),
    ),
    max_size=25,
)


class TestTripwires:
    """The part of the contract that tripwires share: they are asked at intake, about single events."""

    THRESHOLDS = TripwireThresholds()
    AREAS = (AreaCode("A0"), AreaCode("A1"), AreaCode("A2"))
    BESIDE: Mapping[AreaCode, frozenset[AreaCode]] = {
        AREAS[0]: frozenset({AREAS[1]}),
        AREAS[1]: frozenset({AREAS[0], AREAS[2]}),
        AREAS[2]: frozenset({AREAS[1]}),
    }
    NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)

    def _observations(self) -> list[Observation]:
        """Three people at one scene, a nitazene in a sample next door, and two who did not respond."""
        harmed = [
            Observation(
                identity=f"harmed-{index}",
                feed=Feed.AMBULANCE_NALOXONE,
                occurred_at=self.NOW - timedelta(hours=5 + index),
                known_at=self.NOW - timedelta(hours=4 + index),
                area=self.AREAS[index % 2],
                scene="one" if index < 3 else f"other-{index}",
                subject=f"person-{index}",
                response=Response.NONE,
                doses=3,
            )
            for index in range(5)
        ]
        sample = Observation(
            identity="sample",
            feed=Feed.DRUG_CHECKING,
            occurred_at=self.NOW - timedelta(hours=20),
            known_at=self.NOW - timedelta(hours=2),
            area=self.AREAS[1],
            classes=frozenset({_C.NITAZENE}),
            detected=frozenset({_C.NITAZENE}),
        )
        return [*harmed, sample]

    def _asked(self, new: Sequence[Observation], context: Sequence[Observation]) -> list[Signal]:
        return evaluate(
            new,
            context,
            thresholds=self.THRESHOLDS,
            adjacency=self.BESIDE,
            jurisdiction=Jurisdiction("made-up"),
            now=self.NOW,
            seen=Seen(history_start=self.NOW - timedelta(days=900)),
        )

    def test_change_nothing_that_they_are_given(self) -> None:
        new, context = self._observations()[:3], self._observations()[3:]
        before = (copy.deepcopy(new), copy.deepcopy(context), self.THRESHOLDS.model_dump_json())
        assert self._asked(new, context)
        assert (new, context, self.THRESHOLDS.model_dump_json()) == before

    def test_give_the_same_in_any_order_and_each_identity_once(self) -> None:
        everything = self._observations()
        first = self._asked(everything, [])
        identities = [(one.detector, one.key, one.window_end) for one in first]
        assert len(identities) == len(set(identities)) > 3
        for seed in range(5):
            order = np.random.default_rng(seed).permutation(len(everything))
            assert _said(self._asked([everything[index] for index in order], [])) == _said(first)

    def test_told_again_of_what_they_know_give_the_same(self) -> None:
        everything = self._observations()
        assert _said(self._asked(everything, everything)) == _said(self._asked(everything, []))

    def test_of_nothing_say_nothing(self) -> None:
        assert self._asked([], self._observations()) == []


class TestWhateverHappens:
    @SAME_COUNTY
    @given(counts=COUNTS, n_areas=st.integers(1, 6), seed=st.integers(0, 10_000))
    def test_its_signals_are_whole(
        self,
        case: Case,
        county: County,
        counts: list[tuple[int, int, Feed, int, SubstanceClass, int]],
        n_areas: int,
        seed: int,
    ) -> None:
        other = _of_areas(county, n_areas)
        # Half of the counties have a past, half begin with what is drawn.
        events = other.events(140, seed) if seed % 2 else other.events(1, seed)
        if events.n_days == 1:
            nothing = {name: np.zeros(0, dtype=np.int64) for name in COLUMNS}
            events = Sightings(FIRST_DAY, 140, **nothing)
        for day, late, feed, area, name, times in counts:
            where = min(area, n_areas - 1)
            events = other.with_events(events, feed, name, [day - 140] * times, area=where, late=late)
        detector = case.make(other.zones, other.terrain())
        look = other.looked_at(events, detector)
        found = detector.detect(look)
        assert _said(found) == _said(detector.detect(look))
        assert len({signal.key for signal in found}) == len(found)
        for signal in found:
            assert signal.tier.rank <= case.most.rank
            assert set(signal.areas) <= {*other.areas, ROOT}
            assert np.isfinite([signal.expected, *signal.interval, _score(signal)]).all()
            assert signal.observed > 0


def replace_columns(events: Sightings, **changed: np.typing.NDArray[np.int64]) -> Sightings:
    """Return events with some columns of their own order replaced."""
    columns = {name: changed.get(name, getattr(events, name)) for name in COLUMNS}
    return Sightings(events.first_day, events.n_days, **columns)


def _of_areas(county: County, number: int) -> County:
    """Return a county of another number of areas in a row."""
    areas = tuple(type(ROOT)(f"A{index}") for index in range(number))
    beside = {
        code: [areas[near] for near in (index - 1, index + 1) if 0 <= near < number]
        for index, code in enumerate(areas)
    }
    return replace(
        county,
        areas=areas,
        populations=np.resize(county.populations, number),
        zones=zones_of(areas, beside, ROOT),
    )
