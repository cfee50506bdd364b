"""Calibration makes a tripwire stricter until its base rate keeps the share, and writes down what it saw."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from detectors.budget import Budget
from detectors.observations import Observation
from detectors.tripwire_calibration import Ground, calibrate_tripwires
from detectors.tripwire_thresholds import CONCURRENT, SCENE, SINGLE, WATCH_LIST
from schemas.events import Response
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Delivery, Feed, Stratum

ROOT, NORTH, SOUTH, FAR = (AreaCode(code) for code in ("root", "north", "south", "far"))
GROUND = Ground(
    root=ROOT,
    adjacency={NORTH: frozenset({SOUTH}), SOUTH: frozenset({NORTH}), FAR: frozenset()},
    small_areas={NORTH: 10, SOUTH: 20, FAR: 5},
)
START = datetime(2016, 1, 4, 12, tzinfo=UTC)


def _seen(
    identity: str, days: float, area: AreaCode = NORTH, feed: Feed = Feed.AMBULANCE_NALOXONE
) -> Observation:
    occurred = START + timedelta(days=days)
    return Observation(identity, feed, occurred, occurred + timedelta(hours=2), area)


def _year(
    number: int, *, triples: int = 0, samples: int = 0, stratum: Stratum = Stratum.GENERAL
) -> list[Observation]:
    """One casualty a day in the north, and so many scenes of three, or samples with a nitazene, months apart."""
    found = [_seen(f"{number}-day{day}", day) for day in range(365)]
    for scene in range(triples):
        for person in range(3):
            one = _seen(f"{number}-scene{scene}-{person}", 30 * scene + 15 + person / 24, FAR)
            found.append(_with(one, scene=f"{number}-scene-{scene}", stratum=stratum))
    for sample in range(samples):
        one = _seen(f"{number}-sample{sample}", 40 * sample + 20.3, SOUTH, Feed.DRUG_CHECKING)
        found.append(_with(one, detected=frozenset({SubstanceClass.NITAZENE})))
    return found


def _with(item: Observation, **details: object) -> Observation:
    fields = {name: getattr(item, name) for name in item.__dataclass_fields__}
    return Observation(**(fields | details))


def test_a_scene_of_three_that_chance_makes_too_often_must_have_four() -> None:
    often = calibrate_tripwires([_year(n, triples=2) for n in range(10)], GROUND, years_each=1.0)
    seldom = calibrate_tripwires([_year(n, triples=int(n == 0)) for n in range(10)], GROUND, years_each=1.0)
    assert (often.scene_page, seldom.scene_page) == (4, 3)
    assert often.scene_review == 3, "twice a year is within the share of reviews"
    assert dict(often.base_rates[SCENE].ladder)[3.0] == 20
    assert often.years == often.base_rates[SCENE].years == 10


def test_a_smaller_share_makes_a_stricter_tripwire() -> None:
    years = [_year(n, triples=int(n % 4 == 0)) for n in range(12)]
    loose = calibrate_tripwires(years, GROUND, years_each=1.0)
    strict = calibrate_tripwires(years, GROUND, years_each=1.0, budget=Budget(pages_per_year=1.0))
    assert (loose.scene_page, strict.scene_page) == (3, 4)


def test_scenes_within_two_weeks_in_one_area_are_one_episode() -> None:
    close = [
        _with(_seen(f"{scene}-{person}", 3 * scene + person / 24, FAR), scene=f"scene-{scene}")
        for scene in range(4)
        for person in range(3)
    ]
    learnt = calibrate_tripwires([close], GROUND, years_each=1.0)
    assert dict(learnt.base_rates[SCENE].ladder)[3.0] == 1


def test_people_near_a_detection_are_learnt_for_each_area_from_those_beside_it() -> None:
    learnt = calibrate_tripwires([_year(n, samples=9) for n in range(10)], GROUND, years_each=1.0)
    south, far = learnt.areas[SOUTH], learnt.areas[FAR]
    assert south.zone is not None
    assert 3 <= south.zone.mean <= 4, "one casualty a day next door: four in the densest 72 hours"
    assert south.watch_list_page is not None
    assert south.watch_list_page > 4
    assert far.zone is not None
    assert far.zone.mean == 0
    assert far.watch_list_page == 1
    assert learnt.watch_list_needs(FAR) == 1
    assert learnt.base_rates[WATCH_LIST].episodes(0.0) == 90


def test_what_is_usual_is_counted_for_each_area() -> None:
    learnt = calibrate_tripwires([_year(n) for n in range(4)], GROUND, years_each=1.0)
    assert learnt.areas[NORTH].casualties_per_day[Feed.AMBULANCE_NALOXONE] == pytest.approx(1.0, rel=0.01)
    assert learnt.areas[NORTH].small_areas == 10
    assert not learnt.areas[FAR].casualties_per_day


def test_concurrent_and_single_warnings_are_counted() -> None:
    def year(number: int) -> Iterator[Observation]:
        for pair in range(10):
            for which in range(2):
                one = _seen(f"{number}-{pair}-{which}", 30 * pair + which / 4)
                yield _with(one, response=Response.NONE, scene=f"{number}-{pair}-{which}")

    learnt = calibrate_tripwires((year(n) for n in range(10)), GROUND, years_each=1.0)
    assert learnt.concurrent_page == 3
    assert learnt.concurrent_review == 2
    assert dict(learnt.base_rates[CONCURRENT].ladder)[2.0] == 100
    assert learnt.base_rates[f"{SINGLE}:no_response"].per_year(1.0) == pytest.approx(200.5 / 11)


def test_other_populations_and_late_records_do_not_make_a_tripwire_stricter() -> None:
    prison = calibrate_tripwires(
        [_year(n, triples=3, stratum=Stratum.PRISON) for n in range(10)], GROUND, years_each=1.0
    )
    assert prison.scene_page == 3
    bulk = [[_with(item, delivery=Delivery.BACKFILL) for item in _year(n, triples=3)] for n in range(10)]
    assert calibrate_tripwires(bulk, GROUND, years_each=1.0).scene_page == 3


def test_the_same_histories_give_the_same_thresholds() -> None:
    years = [_year(n, triples=1, samples=2) for n in range(3)]
    once, again = (calibrate_tripwires(years, GROUND, years_each=1.0) for _ in range(2))
    assert once.model_dump_json() == again.model_dump_json()


def test_no_history_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        calibrate_tripwires([], GROUND, years_each=1.0)
