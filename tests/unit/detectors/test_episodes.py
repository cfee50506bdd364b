"""Episodes: one cluster is told once, and false alarms are merged as incidents would be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.episodes import Alarm, episode_steps, strongest_tellings
from detectors.scoring import score_day
from schemas.overlap import GAP_DAYS, classes_overlap
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

from .conftest import County

ALARMS = st.lists(
    st.builds(
        Alarm,
        day=st.integers(0, 120),
        window_days=st.integers(1, 14),
        score=st.integers(20, 80).map(lambda tenths: tenths / 10),
        areas=st.integers(1, 2**70),
        may_page=st.booleans(),
        substance_class=st.sampled_from(list(SubstanceClass)),
    ),
    max_size=25,
)


def _linked(a: Alarm, b: Alarm) -> bool:
    first, second = sorted((a, b), key=lambda alarm: alarm.day)
    gap = second.day - second.window_days + 1 - first.day
    return (
        gap <= GAP_DAYS and bool(a.areas & b.areas) and classes_overlap(a.substance_class, b.substance_class)
    )


def _counted_one_by_one(alarms: list[Alarm], threshold: float) -> int:
    waiting = [alarm for alarm in alarms if alarm.score >= threshold]
    episodes = 0
    while waiting:
        episodes += 1
        together = [waiting.pop()]
        while together:
            one = together.pop()
            near = [alarm for alarm in waiting if _linked(one, alarm)]
            waiting = [alarm for alarm in waiting if alarm not in near]
            together += near
    return episodes


@given(alarms=ALARMS, threshold=st.integers(19, 81).map(lambda tenths: tenths / 10 - 0.05))
def test_episodes_at_every_threshold_are_what_counting_one_by_one_gives(
    alarms: list[Alarm], threshold: float
) -> None:
    # Alarms that are equal in everything are one row twice; counting one by one would lose the second.
    alarms = list(dict.fromkeys(alarms))
    appearing, merging = episode_steps(alarms)
    assert (appearing >= threshold).sum() - (merging >= threshold).sum() == _counted_one_by_one(
        alarms, threshold
    )


def test_an_alarm_two_weeks_after_another_is_the_same_episode_and_later_is_not() -> None:
    first = Alarm(0, 3, 5.0, 1, SubstanceClass.OPIATE, may_page=True)
    near = Alarm(16, 3, 4.0, 1, SubstanceClass.UNKNOWN_OPIOID, may_page=True)
    far = Alarm(17, 3, 4.0, 1, SubstanceClass.UNKNOWN_OPIOID, may_page=True)
    assert [len(np.atleast_1d(episode_steps([first, other])[1])) for other in (near, far)] == [1, 0]


def test_one_cluster_in_one_feed_is_told_once(county: County) -> None:
    cube = county.with_cases(county.cube(500), Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, 2, [4, 4])
    scores = score_day(cube, county.fit(cube), county.zones, county.completeness)
    about_it = [index for index in range(len(scores)) if county.zones.masks[scores.zone[index]] & 4]
    told = [
        index
        for index in strongest_tellings(scores, county.zones, county.series)
        if county.zones.masks[scores.zone[index]] & 4
        and county.series[scores.series[index]][0] is Feed.AMBULANCE_NALOXONE
    ]
    assert len(about_it) > 3
    assert len(told) == 1
    best = told[0]
    assert county.zones.zones[scores.zone[best]].codes == ("A2",)
    assert county.series[scores.series[best]][1] is SubstanceClass.OPIATE


def test_two_clusters_far_apart_are_both_told(county: County) -> None:
    cube = county.cube(500)
    for area in (0, 4):
        cube = county.with_cases(cube, Feed.AMBULANCE_NALOXONE, SubstanceClass.NITAZENE, area, [3, 3])
    signals = county.detector().detect(county.look(cube))
    strong = [signal.areas for signal in signals if signal.tier == "page"]
    assert sorted(strong) == [("A0",), ("A4",)]


def test_a_rise_everywhere_is_told_as_one_of_the_whole_jurisdiction(county: County) -> None:
    cube = county.cube(500)
    for area in range(5):
        cube = county.with_cases(cube, Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, area, [2, 2, 2])
    signals = county.detector().detect(county.look(cube))
    assert [signal.areas for signal in signals if signal.tier == "page"] == [("X",)]
    assert signals[0].sentence.startswith("Town X: ")
