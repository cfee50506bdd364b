"""A drawn history is repeatable to the byte and has the volumes, places, hours and delays that its figures state."""

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from schemas.clock import start_of_day
from schemas.substances import WATCH_LIST
from schemas.vocabulary import Feed
from streams.simulation.history import CLASSES, FEEDS, History, draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.people import appearance, draw_levels, people_rates
from streams.simulation.places import Places
from streams.simulation.timing import Days, day_index, draw_minutes, minutes_since_epoch


def _of(history: History, feed: Feed) -> npt.NDArray[np.bool_]:
    chosen: npt.NDArray[np.bool_] = history.events.feed == FEEDS.index(feed)
    return chosen


def _bytes(history: History) -> bytes:
    return b"".join(getattr(history.events, name).tobytes() for name in history.events.__dataclass_fields__)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(places: Places) -> None:
    drawn = [
        _bytes(draw_history(KENT_AND_MEDWAY, places, date(2017, 1, 1), 120, np.random.default_rng(seed)))
        for seed in (3, 3, 4)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize(
    ("feed", "low", "high"),
    [
        (Feed.SUSPECTED_DEATHS, 57, 65),
        (Feed.AMBULANCE_NALOXONE, 560, 640),
        (Feed.ED_PRESENTATIONS, 1460, 1660),
        (Feed.DRUG_CHECKING, 190, 230),
    ],
)
def test_the_mean_volume_of_a_feed_is_the_stated_one(
    many_years: list[History], feed: Feed, low: int, high: int
) -> None:
    mean = np.mean([_of(history, feed).sum() for history in many_years])
    assert low < mean < high


def test_every_history_has_a_level_of_its_own_within_the_planning_range(many_years: list[History]) -> None:
    monthly = np.array([_of(history, Feed.AMBULANCE_NALOXONE).sum() / 12 for history in many_years])
    assert monthly.min() > 20
    assert monthly.max() < 100
    assert monthly.std() / monthly.mean() > 0.1


def test_thanet_has_about_twice_the_county_rate(many_years: list[History], places: Places) -> None:
    thanet = places.areas.index("E07000114")
    share = np.mean(
        [
            (places.area_of[h.events.event_place[_of(h, Feed.AMBULANCE_NALOXONE)]] == thanet).mean()
            for h in many_years
        ]
    )
    population = places.population[places.area_of == thanet].sum() / places.population.sum()
    assert 1.7 < share / population < 2.3


@pytest.mark.parametrize(
    ("feed", "most_hours"),
    [
        (Feed.AMBULANCE_NALOXONE, 48),
        (Feed.ED_PRESENTATIONS, 24),
        (Feed.SUSPECTED_DEATHS, 72),
        (Feed.DRUG_CHECKING, 504),
    ],
)
def test_records_become_known_after_they_happened_and_within_the_stated_delay(
    year: History, feed: Feed, most_hours: int
) -> None:
    delay = (year.events.known - year.events.occurred)[_of(year, feed)]
    assert delay.min() > 0
    assert delay.max() <= most_hours * 60 + 1


def test_naloxone_is_mostly_known_within_a_day_and_some_samples_within_two_hours(year: History) -> None:
    delay = (year.events.known - year.events.occurred) / 60
    assert (delay[_of(year, Feed.AMBULANCE_NALOXONE)] <= 24).mean() > 0.8
    on_site = (delay[_of(year, Feed.DRUG_CHECKING)] <= 2).mean()
    assert 0.15 < on_site < 0.45


def test_the_share_of_naloxone_patients_seen_in_the_emergency_department_is_the_one_drawn(
    many_years: list[History],
) -> None:
    overlaps = []
    for history in many_years:
        naloxone = set(history.events.scene[_of(history, Feed.AMBULANCE_NALOXONE)].tolist())
        ed = set(history.events.scene[_of(history, Feed.ED_PRESENTATIONS)].tolist())
        overlaps.append(len(naloxone & ed) / len(naloxone))
        assert abs(overlaps[-1] - history.levels.overlap) < 0.15
    assert min(overlaps) < 0.45
    assert max(overlaps) > 0.55


def test_a_person_is_at_most_once_in_a_feed_for_one_happening_and_never_after_death(year: History) -> None:
    events = year.events
    people = events.person >= 0
    one_happening = np.stack([events.feed, events.scene, events.person], axis=1)[people]
    assert len(np.unique(one_happening, axis=0)) == len(one_happening)
    died = _of(year, Feed.SUSPECTED_DEATHS)
    died_at = dict(zip(events.person[died].tolist(), events.occurred[died].tolist(), strict=True))
    assert died_at
    for person, occurred in zip(
        events.person[people].tolist(), events.occurred[people].tolist(), strict=True
    ):
        assert occurred <= died_at.get(person, occurred) + 120


def test_some_people_are_harmed_again_and_some_scenes_have_two_casualties(many_years: list[History]) -> None:
    repeats, pairs, many, years = 0, 0, 0, len(many_years)
    for history in many_years:
        found = np.unique(
            np.stack([history.events.scene, history.events.person], axis=1)[history.events.person >= 0],
            axis=0,
        )
        repeats += int((np.unique(found[:, 1], return_counts=True)[1] > 1).sum())
        at_scene = np.unique(found[:, 0], return_counts=True)[1]
        pairs += int((at_scene == 2).sum())
        many += int((at_scene > 2).sum())
    assert 40 < repeats / years < 160
    assert 4 < pairs / years < 16
    assert many / years < 0.7


def test_people_live_in_another_area_in_the_stated_share_of_records(many_years: list[History]) -> None:
    for history in many_years[:20]:
        events = history.events
        known = _of(history, Feed.ED_PRESENTATIONS) & (events.home >= 0)
        area_of = history.places.area_of
        elsewhere = (area_of[events.home[known]] != area_of[events.event_place[known]]).mean()
        assert abs(elsewhere - history.levels.elsewhere) < 0.05
        assert 0.07 < elsewhere < 0.28


def test_three_doses_or_more_are_given_to_five_to_ten_per_cent(many_years: list[History]) -> None:
    doses = np.concatenate(
        [history.events.doses[_of(history, Feed.AMBULANCE_NALOXONE)] for history in many_years]
    )
    assert doses.min() == 1
    assert doses.max() == 4
    assert 0.05 < (doses >= 3).mean() < 0.10


def test_the_watch_list_base_rate_of_samples_is_about_two_per_cent(many_years: list[History]) -> None:
    watched = [CLASSES.index(one) for one in WATCH_LIST]
    first = np.concatenate(
        [history.events.first_class[_of(history, Feed.DRUG_CHECKING)] for history in many_years]
    )
    assert 0.012 < np.isin(first, watched).mean() < 0.03


def test_most_naloxone_records_name_no_substance(year: History) -> None:
    assert (year.events.first_class[_of(year, Feed.AMBULANCE_NALOXONE)] < 0).mean() > 0.75


def test_weekends_nights_and_summer_have_more(many_years: list[History]) -> None:
    days = many_years[0].days
    counts = np.zeros(days.n_days)
    hours = np.zeros((2, 24))
    for history in many_years:
        minute = history.events.occurred[_of(history, Feed.AMBULANCE_NALOXONE)]
        day = day_index(days, minute)
        minute, day = minute[day < days.n_days], day[day < days.n_days]
        np.add.at(counts, day, 1)
        weekend = (days.weekday[day] >= 5).astype(int)
        np.add.at(hours, (weekend, np.minimum((minute - days.start[day]) // 60, 23)), 1)
    assert counts[days.weekday == 5].mean() > 1.1 * counts[days.weekday == 1].mean()
    assert counts[150:240].mean() > 1.08 * np.r_[counts[:60], counts[-30:]].mean()
    share = hours / hours.sum(axis=1, keepdims=True)
    assert share[1, :5].sum() > 1.3 * share[0, :5].sum()


def test_a_bank_holiday_is_known_as_one() -> None:
    days = Days(date(2017, 12, 20), 15)
    assert [str(days.first_day + timedelta(days=int(day))) for day in np.flatnonzero(days.holiday)] == [
        "2017-12-25",
        "2017-12-26",
        "2018-01-01",
    ]


@pytest.mark.parametrize("day", [date(2016, 3, 27), date(2016, 10, 30)])
def test_no_minute_leaves_its_civil_day_when_the_clocks_change(day: date) -> None:
    days = Days(day, 1)
    drawn = draw_minutes(KENT_AND_MEDWAY, days, np.zeros(5000, dtype=np.int64), np.random.default_rng(1))
    assert drawn.min() >= minutes_since_epoch(start_of_day(day))
    assert drawn.max() < minutes_since_epoch(start_of_day(day + timedelta(days=1)))
    assert set(day_index(days, drawn).tolist()) == {0}


def test_the_dispersion_of_a_county_day_is_about_one_and_a_half(many_years: list[History]) -> None:
    ratios = []
    for history in many_years:
        day = day_index(history.days, history.events.occurred[_of(history, Feed.ED_PRESENTATIONS)])
        counts = np.bincount(day[day < history.n_days], minlength=history.n_days)
        ratios.append(counts.var() / counts.mean())
    assert 1.3 < np.mean(ratios) < 1.8


def test_the_ways_in_which_people_are_seen_add_up_to_the_volumes() -> None:
    levels = draw_levels(KENT_AND_MEDWAY, np.random.default_rng(5))
    rates = people_rates(KENT_AND_MEDWAY, levels)
    assert rates.min() >= 0
    assert rates[:, [0, 1, 4, 5]].sum() == pytest.approx(levels.naloxone)
    assert rates[:, [1, 2, 5]].sum() == pytest.approx(levels.ed)
    assert rates[:, 3:].sum() == pytest.approx(levels.deaths)
    for seen in appearance(KENT_AND_MEDWAY, levels).values():
        assert all(0 <= share <= 1 for share in seen.values())


def test_a_step_changes_the_level_from_its_day_on(places: Places) -> None:
    stepped = KENT_AND_MEDWAY.model_copy(update={"steps": ((180, 2.0),)})
    counts = np.zeros(2)
    for seed in range(10):
        history = draw_history(stepped, places, date(2015, 10, 1), 360, np.random.default_rng(seed))
        day = day_index(history.days, history.events.occurred[_of(history, Feed.ED_PRESENTATIONS)])
        counts += [(day < 180).sum(), (day >= 180).sum()]
    assert 1.7 < counts[1] / counts[0] < 2.4
