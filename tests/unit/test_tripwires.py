"""Tripwires ring when they should, are quiet when they should be, and never depend on the order of arrival."""

import itertools
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.clusters import different_scenes
from detectors.tripwire_thresholds import AreaLevels, BaseRate, ZoneLevel, interval, tail
from detectors.tripwires import CONTEXT, Observation, Seen, TripwireThresholds, evaluate, fewest_people
from schemas.events import Response
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Delivery, Feed, Jurisdiction, Stratum, Tier

KENT = Jurisdiction("kent-and-medway")
THANET, CANTERBURY, DOVER, DARTFORD = (
    AreaCode(code) for code in ("thanet", "canterbury", "dover", "dartford")
)
BESIDE: Mapping[AreaCode, frozenset[AreaCode]] = {
    THANET: frozenset({CANTERBURY, DOVER}),
    CANTERBURY: frozenset({THANET, DOVER}),
    DOVER: frozenset({THANET, CANTERBURY}),
    DARTFORD: frozenset(),
}
NAMES = {THANET: "Thanet", CANTERBURY: "Canterbury", DOVER: "Dover", DARTFORD: "Dartford"}
NOON = datetime(2018, 1, 22, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=6)
STATED = TripwireThresholds()
NALOXONE, ED, DEATH, SAMPLE = (
    Feed.AMBULANCE_NALOXONE,
    Feed.ED_PRESENTATIONS,
    Feed.SUSPECTED_DEATHS,
    Feed.DRUG_CHECKING,
)
NITAZENE = frozenset({SubstanceClass.NITAZENE})
SPICE = frozenset({SubstanceClass.SYNTHETIC_CANNABINOID})
_numbers = itertools.count()


def seen(feed: Feed = ED, hours: float = 0.0, **details: Any) -> Observation:  # noqa: ANN401 (any field of an Observation)
    """One event, so many hours after noon, known an hour later unless it says otherwise."""
    occurred = NOON + timedelta(hours=hours)
    known = occurred + timedelta(hours=1)
    common: dict[str, Any] = {
        "identity": f"e{next(_numbers):05d}",
        "feed": feed,
        "occurred_at": occurred,
        "known_at": known,
        "area": THANET,
    }
    return Observation(**(common | details))


def sample(hours: float = 0.0, **details: Any) -> Observation:  # noqa: ANN401 (any field of an Observation)
    return seen(SAMPLE, hours, **({"classes": NITAZENE, "detected": NITAZENE} | details))


def look(
    new: Iterable[Observation],
    context: Iterable[Observation] = (),
    *,
    thresholds: TripwireThresholds = STATED,
    known: Seen | None = None,
    now: datetime = NOW,
) -> list[Signal]:
    return evaluate(
        new,
        context,
        thresholds=thresholds,
        adjacency=BESIDE,
        jurisdiction=KENT,
        now=now,
        seen=known,
        area_names=NAMES,
    )


def of(signals: Sequence[Signal], family: str) -> list[Signal]:
    return [signal for signal in signals if signal.family == f"tripwire_{family}"]


def tiers(signals: Sequence[Signal], family: str) -> list[Tier]:
    return [signal.tier for signal in of(signals, family)]


def household(people: int = 9, **details: Any) -> list[Observation]:  # noqa: ANN401 (any field of an Observation)
    return [
        seen(hours=0.4 * number, scene="a" * 20, subject=f"person-{number:010d}", classes=SPICE, **details)
        for number in range(people)
    ]


# ---- one scene ----


def test_nine_people_at_one_address_page_in_one_signal() -> None:
    (signal,) = of(look(household()), "scene")
    assert (signal.tier, signal.observed) == (Tier.PAGE, 9)
    assert signal.areas == (THANET,)
    assert signal.substance_class is SubstanceClass.SYNTHETIC_CANNABINOID
    assert (signal.window_start, signal.window_end) == (date(2018, 1, 22), date(2018, 1, 22))
    assert (
        "9 people were harmed at one scene in Thanet within 6 hours, mostly synthetic cannabinoid"
        in signal.sentence
    )
    assert "a" * 20 not in signal.model_dump_json()


def test_the_third_record_of_a_scene_pages_and_the_later_ones_update_that_signal() -> None:
    people = household()
    assert tiers(look([people[1]], [people[0]]), "scene") == [Tier.RECORD]
    (third,) = of(look([people[2]], people[:2]), "scene")
    (ninth,) = of(look([people[8]], people[:8]), "scene")
    assert third.tier is Tier.PAGE
    assert (third.detector, third.key, third.window_end) == (ninth.detector, ninth.key, ninth.window_end)
    assert ninth.observed == 9


def test_three_people_at_one_scene_over_a_day_do_not_page() -> None:
    spread = [seen(hours=7.0 * number, scene="s" * 20, subject=f"p{number}" * 10) for number in range(3)]
    assert not of(look(spread), "scene")


def test_people_at_three_different_scenes_do_not_page() -> None:
    apart = [
        seen(hours=number, scene=f"scene-{number}" * 3, fine_area=AreaCode("E01")) for number in range(3)
    ]
    assert not of(look(apart), "scene")


def test_one_person_with_five_calls_is_one_person() -> None:
    calls = [seen(NALOXONE, hours=number, scene="s" * 20, subject="p" * 20) for number in range(5)]
    assert not of(look(calls), "scene")


def test_one_person_in_three_feeds_is_one_person() -> None:
    told = [seen(feed, hours=0.5, scene="s" * 20, subject="p" * 20) for feed in (NALOXONE, ED, DEATH)]
    assert not of(look(told), "scene")


def test_records_of_different_feeds_without_tokens_may_be_of_the_same_people() -> None:
    place = AreaCode("E01024001")
    told = [
        seen(feed, hours=0.1 * number, fine_area=place)
        for feed in (NALOXONE, ED, DEATH)
        for number in range(2)
    ]
    (signal,) = of(look(told), "scene")
    assert (signal.observed, signal.tier) == (2, Tier.RECORD)
    (more,) = of(look([*told, seen(ED, hours=0.5, fine_area=place)]), "scene")
    assert (more.observed, more.tier) == (3, Tier.PAGE)


def test_without_a_scene_token_one_place_is_one_small_area_and_the_sentence_says_so() -> None:
    place = AreaCode("E01024001")
    (signal,) = of(look([seen(hours=number, fine_area=place) for number in range(3)]), "scene")
    assert signal.tier is Tier.PAGE
    assert "within one small area (no scene was stated)" in signal.sentence
    assert signal.parameters["kind"] == "small_area"


def test_records_that_name_no_small_area_are_at_no_one_place() -> None:
    assert not of(look([seen(hours=0.2 * number) for number in range(5)]), "scene")


def test_a_tested_sample_is_nobody_at_a_scene() -> None:
    place = AreaCode("E01024001")
    assert not of(look([*(sample(fine_area=place) for _ in range(4)), seen(fine_area=place)]), "scene")


# ---- what may page ----


def test_a_scene_that_becomes_known_after_73_hours_asks_for_a_review() -> None:
    late = [replace(one, known_at=one.occurred_at + timedelta(hours=73)) for one in household(4)]
    (signal,) = of(look(late), "scene")
    assert (signal.tier, signal.observed) == (Tier.REVIEW, 4)
    assert "does not page" in signal.sentence
    in_time = [replace(one, known_at=one.occurred_at + timedelta(hours=72)) for one in household(4)]
    assert tiers(look(in_time), "scene") == [Tier.PAGE]


@pytest.mark.parametrize("delivery", [Delivery.BACKFILL, Delivery.RELEASE])
def test_bulk_loads_and_releases_never_page(delivery: Delivery) -> None:
    assert tiers(look(household(5, delivery=delivery)), "scene") == [Tier.REVIEW]
    old = look(household(5, delivery=delivery), now=NOON + timedelta(days=400))
    assert tiers(old, "scene") == [Tier.RECORD]


def test_late_records_do_not_make_up_the_number_that_pages() -> None:
    people = household(3)
    late = replace(people[2], known_at=people[2].occurred_at + timedelta(hours=100))
    (signal,) = of(look([*people[:2], late]), "scene")
    assert (signal.tier, signal.observed) == (Tier.REVIEW, 3)


@pytest.mark.parametrize("stratum", [Stratum.PRISON, Stratum.SCHOOL, Stratum.SELF_HARM])
def test_other_populations_are_kept_for_the_file_and_never_mixed_in(stratum: Stratum) -> None:
    apart = household(5, stratum=stratum)
    assert tiers(look(apart), "scene") == [Tier.RECORD]
    mixed = [*household(2), *household(5, stratum=stratum)]
    assert all(tier is Tier.RECORD for tier in tiers(look(mixed), "scene"))


def test_nothing_that_is_known_later_than_now_is_used() -> None:
    assert not of(look(household(9), now=NOON + timedelta(minutes=50)), "scene")


# ---- a watch-list detection and casualties ----


def test_a_watch_list_detection_and_a_casualty_nearby_page() -> None:
    (signal,) = of(look([sample(), seen(NALOXONE, 20, area=CANTERBURY)]), "watch_list")
    assert (signal.tier, signal.observed) == (Tier.PAGE, 1)
    assert signal.substance_class is SubstanceClass.NITAZENE
    assert signal.lab_confirmed
    assert signal.areas == (CANTERBURY, THANET)
    assert {item.feed: item.observed for item in signal.feeds} == {NALOXONE: 1, SAMPLE: 1}


def test_a_casualty_in_an_area_that_does_not_touch_is_not_near() -> None:
    assert not of(look([sample(), seen(NALOXONE, 2, area=DARTFORD)]), "watch_list")


@pytest.mark.parametrize("hours", [-73, 73])
def test_a_casualty_73_hours_away_is_not_near_in_time(hours: int) -> None:
    assert not of(look([sample(), seen(NALOXONE, hours)]), "watch_list")


def test_casualties_of_two_different_three_day_spans_are_not_added_up() -> None:
    wide = [sample(), *(seen(NALOXONE, hours) for hours in (-60, -50, 40, 50, 60))]
    (signal,) = of(look(wide), "watch_list")
    assert signal.observed == 3


@pytest.mark.parametrize(
    ("classes", "counts"),
    [
        (frozenset[SubstanceClass](), True),
        ({SubstanceClass.UNKNOWN}, True),
        ({SubstanceClass.UNKNOWN_OPIOID}, True),
        ({SubstanceClass.OPIATE}, True),
        ({SubstanceClass.STIMULANT, SubstanceClass.OPIATE}, True),
        ({SubstanceClass.STIMULANT}, False),
        ({SubstanceClass.SYNTHETIC_CANNABINOID}, False),
    ],
)
def test_only_casualties_that_may_have_been_an_opioid_count(
    classes: set[SubstanceClass], counts: bool
) -> None:
    assert bool(of(look([sample(), seen(ED, 3, classes=frozenset(classes))]), "watch_list")) is counts


def test_ten_pills_of_one_batch_are_one_observation() -> None:
    pills = [sample(hours=0.01 * number, batch="seizure-1") for number in range(10)]
    assert not of(look(pills), "watch_list")
    assert not of(look(pills), "concurrent")
    assert len(of(look(pills), "single")) == 1
    (signal,) = of(look([*pills, seen(NALOXONE, 2)]), "watch_list")
    assert dict(zip(signal.feed_names, (item.observed for item in signal.feeds), strict=True))[SAMPLE] == 1


def test_a_sample_with_no_watch_list_class_is_no_detection() -> None:
    heroin = frozenset({SubstanceClass.OPIATE})
    assert not look([sample(classes=heroin, detected=heroin)])


def test_what_a_person_is_suspected_to_have_taken_is_no_detection() -> None:
    told = [seen(ED, classes=NITAZENE), seen(NALOXONE, 1)]
    assert not of(look(told), "watch_list")


def test_toxicology_after_a_death_is_a_detection_but_late_toxicology_never_pages() -> None:
    casualty = seen(NALOXONE, 5)
    quick = seen(DEATH, detected=NITAZENE, classes=NITAZENE)
    assert tiers(look([quick, casualty]), "watch_list") == [Tier.PAGE]
    late = replace(quick, known_at=quick.occurred_at + timedelta(days=5))
    (signal,) = of(look([late], [casualty]), "watch_list")
    assert signal.tier is Tier.REVIEW
    assert signal.serious_outcome


def test_an_area_pages_only_from_the_number_of_people_learnt_for_it() -> None:
    learnt = TripwireThresholds(
        areas={THANET: AreaLevels(zone=ZoneLevel(mean=4.5, dispersion=1.1), watch_list_page=4)},
        watch_list_page=9,
        years=100,
    )
    casualties = [seen(NALOXONE, hours) for hours in (1, 2, 3, 4)]
    assert tiers(look([sample(), *casualties[:3]], thresholds=learnt), "watch_list") == [Tier.REVIEW]
    (signal,) = of(look([sample(), *casualties], thresholds=learnt), "watch_list")
    assert signal.tier is Tier.PAGE
    assert signal.expected == 4.5
    assert "about 4.5 is usual" in signal.sentence


# ---- several warnings at once, and single ones ----


def test_two_non_responses_from_different_scenes_within_a_day_page() -> None:
    silent = [
        seen(NALOXONE, hours, doses=2, response=Response.NONE, scene=f"scene-{hours}" * 3, area=area)
        for hours, area in ((0, THANET), (23, CANTERBURY))
    ]
    (signal,) = of(look(silent), "concurrent")
    assert (signal.tier, signal.observed) == (Tier.PAGE, 2)
    assert signal.areas == (CANTERBURY, THANET)


@pytest.mark.parametrize(
    "change",
    [
        {"area": DARTFORD},
        {"occurred_at": NOON + timedelta(hours=25), "known_at": NOON + timedelta(hours=26)},
        {"scene": "one-scene-token-20"},
        {"subject": "one-subject-token-20"},
        {"cardiac_arrest": True},
        {"response": Response.UNKNOWN},
    ],
    ids=["far area", "25 hours later", "same scene", "same person", "cardiac arrest", "response unknown"],
)
def test_two_warnings_that_are_not_two_do_not_page(change: dict[str, Any]) -> None:
    first = seen(
        NALOXONE, 0, response=Response.NONE, scene="one-scene-token-20", subject="one-subject-token-20"
    )
    second = seen(
        NALOXONE, 3, response=Response.NONE, scene="another-scene-token", subject="another-subject-20"
    )
    assert tiers(look([first, second]), "concurrent") == [Tier.PAGE]
    assert not of(look([first, replace(second, **change)]), "concurrent")


def test_a_detection_and_a_non_response_are_two_warnings() -> None:
    assert tiers(look([sample(), seen(NALOXONE, 3, response=Response.NONE)]), "concurrent") == [Tier.PAGE]


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ({"doses": 3}, "many_doses"),
        ({"doses": 1, "response": Response.NONE}, "no_response"),
        ({"doses": 4, "response": Response.NONE}, "no_response_many_doses"),
        ({"doses": 3, "response": Response.NONE, "cardiac_arrest": True}, "many_doses"),
    ],
)
def test_one_warning_alone_is_kept_for_the_file(details: dict[str, Any], kind: str) -> None:
    (signal,) = look([seen(NALOXONE, **details)])
    assert (signal.family, signal.tier, signal.parameters["kind"]) == ("tripwire_single", Tier.RECORD, kind)


@pytest.mark.parametrize(
    "details",
    [{"doses": 2}, {"response": Response.NONE, "cardiac_arrest": True}, {"response": Response.IMPROVED}],
)
def test_an_ordinary_patient_is_no_warning(details: dict[str, Any]) -> None:
    assert not look([seen(NALOXONE, **details)])


def test_a_first_watch_list_class_asks_for_a_review_once_a_year_of_history_is_there() -> None:
    start = NOON - timedelta(days=366)
    (signal,) = look([sample()], known=Seen(history_start=start))
    assert (signal.tier, signal.parameters["kind"]) == (Tier.REVIEW, "watch_list_first")
    assert "for the first time in the jurisdiction" in signal.sentence
    (known_elsewhere,) = look(
        [sample()],
        known=Seen(
            history_start=start, earliest={(DOVER, SubstanceClass.NITAZENE): NOON - timedelta(days=9)}
        ),
    )
    assert "for the first time in the area" in known_elsewhere.sentence
    (again,) = look(
        [sample()],
        known=Seen(
            history_start=start, earliest={(THANET, SubstanceClass.NITAZENE): NOON - timedelta(days=9)}
        ),
    )
    assert again.tier is Tier.RECORD


def test_of_several_classes_in_one_finding_the_one_never_found_before_is_the_news() -> None:
    both = frozenset({SubstanceClass.FENTANYL, SubstanceClass.ALPHA2_SEDATIVE})
    known = Seen(
        history_start=NOON - timedelta(days=366),
        earliest={(THANET, SubstanceClass.FENTANYL): NOON - timedelta(days=9)},
    )
    (signal,) = look([sample(detected=both, classes=both)], known=known)
    assert signal.tier is Tier.REVIEW
    assert signal.substance_class is SubstanceClass.ALPHA2_SEDATIVE


def test_nothing_is_a_first_without_history_unless_a_list_of_known_classes_is_declared() -> None:
    short = Seen(history_start=NOON - timedelta(days=300))
    assert tiers(look([sample()], known=short), "single") == [Tier.RECORD]
    assert tiers(look([sample()]), "single") == [Tier.RECORD]
    declared = Seen(seed=frozenset({SubstanceClass.FENTANYL}))
    assert tiers(look([sample()], known=declared), "single") == [Tier.REVIEW]
    listed = Seen(seed=NITAZENE)
    assert tiers(look([sample()], known=listed), "single") == [Tier.RECORD]


# ---- the numbers ----


def test_a_signal_says_how_often_chance_alone_does_as_much() -> None:
    learnt = TripwireThresholds(
        model_version="learnt-1",
        base_rates={"tripwire_scene": BaseRate(years=99, ladder=((2.0, 600), (3.0, 24), (4.0, 2), (5.0, 0)))},
        areas={THANET: AreaLevels(casualties_per_day={ED: 0.84}, small_areas=84)},
        years=99,
    )
    (three,) = of(look(household(3), thresholds=learnt), "scene")
    (nine,) = of(look(household(9), thresholds=learnt), "scene")
    assert three.recurrence_interval_days == pytest.approx(365.25 * 100 / 24.5)
    assert three.expected == pytest.approx(0.0025)
    assert three.model_version == "learnt-1"
    assert "about once in 4.1 years" in three.sentence
    assert nine.recurrence_interval_days == pytest.approx(36525.0)
    assert nine.p_value < three.p_value < 0.001


def test_a_base_rate_between_two_steps_is_that_of_the_lower_one() -> None:
    rate = BaseRate(years=100, ladder=((0.5, 50), (1.0, 10), (1.5, 0)))
    assert [rate.episodes(score) for score in (0.1, 0.5, 0.9, 1.2, 1.5, 9.0)] == [50, 50, 50, 10, 0, 0]


def test_thresholds_that_were_stated_and_not_learnt_claim_no_rarity() -> None:
    (signal,) = of(look(household(3)), "scene")
    assert (
        "what is usual here and how often chance alone gives this has not been learnt yet" in signal.sentence
    )
    assert "about" not in signal.sentence


def test_a_class_of_the_ordinary_supply_can_be_taken_off_the_watch_list() -> None:
    usual = TripwireThresholds(watch_list=frozenset({SubstanceClass.FENTANYL}))
    assert not look([sample(), seen(NALOXONE, 2)], thresholds=usual)
    assert TripwireThresholds.model_validate_json(usual.model_dump_json()) == usual


def test_thresholds_survive_json_exactly() -> None:
    learnt = TripwireThresholds(
        scene_page=4,
        areas={"E07": AreaLevels(casualties_per_day={ED: 0.1}, zone=ZoneLevel(mean=2.0), watch_list_page=6)},
        base_rates={"tripwire_scene": BaseRate(years=120, ladder=((3.0, 9),))},
        years=120,
    )
    assert TripwireThresholds.model_validate_json(learnt.model_dump_json()) == learnt


def test_the_tail_of_a_count_is_exact_for_a_poisson_and_wider_with_dispersion() -> None:
    assert tail(3, 2.0, 1.0) == pytest.approx(0.3233235838)
    assert tail(0, 2.0, 1.5) == 1.0
    # Negative binomial with mean 2 and variance 3: size 4, p = 2/3.
    assert tail(1, 2.0, 1.5) == pytest.approx(1 - (2 / 3) ** 4)
    assert interval(0.0, 1.0) == (0.0, 0.0)
    assert interval(4.0, 1.0) == (1.0, 8.0)


# ---- sets, not sequences ----


def _world() -> st.SearchStrategy[list[Observation]]:
    feeds = st.sampled_from([NALOXONE, NALOXONE, ED, ED, DEATH, SAMPLE])

    @st.composite
    def one(draw: st.DrawFn, number: int) -> Observation:
        feed = draw(feeds)
        watched = feed is SAMPLE and draw(st.booleans())
        occurred = NOON + timedelta(hours=draw(st.integers(0, 30)))
        return Observation(
            identity=f"w{number:02d}",
            feed=feed,
            occurred_at=occurred,
            known_at=occurred + timedelta(hours=draw(st.sampled_from([1, 5, 80]))),
            area=draw(st.sampled_from([THANET, CANTERBURY, DARTFORD])),
            fine_area=draw(st.sampled_from([None, AreaCode("E01"), AreaCode("E02")])),
            scene=draw(st.sampled_from([None, "scene-a", "scene-b"])) if feed is not SAMPLE else None,
            subject=draw(st.sampled_from([None, "p1", "p2", "p3", "p4"])) if feed is not SAMPLE else None,
            classes=NITAZENE if watched else frozenset(),
            detected=NITAZENE if watched else frozenset(),
            doses=draw(st.integers(0, 4)) if feed is NALOXONE else 0,
            response=draw(st.sampled_from(list(Response))) if feed is NALOXONE else Response.UNKNOWN,
            batch=draw(st.sampled_from([None, "b1"])) if feed is SAMPLE else None,
        )

    return st.integers(2, 9).flatmap(
        lambda size: st.tuples(*(one(number) for number in range(size))).map(list)
    )


@settings(max_examples=120, deadline=None)
@given(world=_world(), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(world: list[Observation], order: object) -> None:
    shuffled = list(world)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert look(shuffled) == look(world)
    assert look(world, world) == look(world), "an event in both is counted twice"


@settings(max_examples=120, deadline=None)
@given(world=_world(), cut=st.integers(0, 9))
def test_what_the_last_batch_gives_is_what_the_whole_set_says_of_it(
    world: list[Observation], cut: int
) -> None:
    before, last = world[:cut], world[cut:]
    touched = {item.identity for item in last}
    whole = [signal for signal in look(world) if touched & set(signal.evidence)]
    assert look(last, before) == whole


@settings(max_examples=80, deadline=None)
@given(world=_world())
def test_more_events_never_make_a_scene_smaller(world: list[Observation]) -> None:
    fewer = {signal.key: signal for signal in of(look(world[:-1]), "scene")}
    more = {signal.key: signal for signal in of(look(world), "scene")}
    for key, signal in fewer.items():
        if more[key].window_end == signal.window_end:
            assert more[key].tier.rank >= signal.tier.rank


@settings(max_examples=80, deadline=None)
@given(world=_world())
def test_every_signal_agrees_with_itself(world: list[Observation]) -> None:
    by_identity = {item.identity: item for item in world}
    for signal in look(world):
        members = [by_identity[identity] for identity in signal.evidence]
        assert signal.newest_evidence_at == max(item.occurred_at for item in members)
        assert signal.serious_outcome == any(item.is_death for item in members)
        assert signal.interval[0] <= signal.interval[1]
        assert set(signal.areas) == {item.area for item in members}
        assert not any(token in signal.model_dump_json() for token in ("scene-a", "scene-b"))
        if signal.family == "tripwire_scene":
            assert signal.observed == fewest_people(members)
            assert signal.sentence.startswith(f"{signal.observed} people")


@settings(max_examples=150, deadline=None)
@given(world=_world())
def test_scenes_are_told_apart_as_comparing_every_pair_would(world: list[Observation]) -> None:
    hours = timedelta(hours=6)

    def same(a: Observation, b: Observation) -> bool:
        tokens = ((a.scene, b.scene), (a.subject, b.subject), (a.batch, b.batch))
        one_place = (
            (a.scene is None or b.scene is None)
            and not (a.is_sample or b.is_sample)
            and a.fine_area is not None
            and a.fine_area == b.fine_area
            and abs(a.occurred_at - b.occurred_at) <= hours
        )
        return one_place or any(one is not None and one == other for one, other in tokens)

    group = list(range(len(world)))
    for (first, a), (second, b) in itertools.combinations(enumerate(world), 2):
        if same(a, b):
            group = [group[first] if one == group[second] else one for one in group]
    assert different_scenes(world, hours) == len(set(group))


def test_a_flood_of_warnings_in_one_place_is_still_one_page_each() -> None:
    flood = [
        seen(
            NALOXONE,
            number / 200,
            doses=3,
            response=Response.NONE,
            fine_area=AreaCode("E01"),
            subject=f"s{number:05d}",
        )
        for number in range(1500)
    ]
    signals = look(flood)
    assert Tier.PAGE in tiers(signals, "scene")
    assert len(of(signals, "single")) == 1500


def test_events_further_away_than_the_context_change_nothing() -> None:
    cluster = [*household(4), sample(), seen(NALOXONE, 3, response=Response.NONE)]
    far = [
        seen(NALOXONE, sign * (CONTEXT.total_seconds() / 3600 + 40), response=Response.NONE, doses=3)
        for sign in (-1, 1)
    ]
    assert look(cluster, far, now=NOON + timedelta(days=30)) == look(cluster, now=NOON + timedelta(days=30))


def test_tripwires_load_without_numerics() -> None:
    program = (
        "import sys, detectors.tripwires, detectors.tripwire_calibration\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
