"""Rates learnt from events come back in the histories drawn from them."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from detectors.sightings import FEEDS, Sightings, occurrences_of
from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.fitting import CountedEvent, fit_rates
from streams.simulation.rates import FittedRates, simulate_from_rates

FIRST, LAST = date(2012, 1, 1), date(2015, 12, 31)
AREAS = tuple(AreaCode(code) for code in ("A", "B", "C"))
HEROIN = frozenset({SubstanceClass.OPIATE})
BOTH = frozenset({SubstanceClass.OPIATE, SubstanceClass.STIMULANT})
DEATHS = Feed.SUSPECTED_DEATHS
SERIES = tuple((DEATHS, one) for one in SubstanceClass)
SMALL = tuple(AreaCode(f"{area}{number}") for area in AREAS for number in range(4))
TERRAIN = Terrain(
    root=AreaCode("ROOT"),
    areas=AREAS,
    fine=SMALL,
    area_of=np.repeat(np.arange(3), 4).astype(np.int32),
    position_km=np.arange(24, dtype=np.float64).reshape(12, 2),
    population=np.ones(12),
    adjacent=np.zeros((3, 3), dtype=bool),
)


def _events(seed: int = 1, per_day: float = 2.0) -> list[CountedEvent]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=number)
        factor = 1.5 if day.weekday() >= 5 else 0.8
        for _ in range(rng.poisson(per_day * factor)):
            area = (AREAS[0], AREAS[0], AREAS[0], AREAS[1], None)[rng.integers(0, 5)]
            delay = int(rng.choice([0, 30], p=[0.25, 0.75]))
            found.append(
                CountedEvent(
                    day,
                    day + timedelta(days=delay),
                    area,
                    DEATHS,
                    BOTH if rng.random() < 0.3 else HEROIN,
                    # Every second record says the small area, nearly always the same one.
                    None if area is None or number % 2 else AreaCode(f"{area}{0 if number % 20 else 1}"),
                )
            )
    return found


@pytest.fixture(scope="module")
def rates() -> FittedRates:
    return fit_rates(
        _events(), TERRAIN, first_day=FIRST, last_day=LAST, populations=dict.fromkeys(AREAS, 1000.0)
    )


def test_the_habits_of_a_feed_are_learnt(rates: FittedRates) -> None:
    (feed,) = rates.feeds
    assert feed.per_day == pytest.approx(2.0, rel=0.05)
    assert feed.area_shares[-1] == pytest.approx(0.2, abs=0.03)
    assert feed.area_shares[0] == pytest.approx(0.6, abs=0.04)
    assert 0 < feed.area_shares[2] < 0.02, "an area without events leans on its population"
    assert feed.weekday[5] / feed.weekday[1] == pytest.approx(1.5 / 0.8, rel=0.15)
    assert dict(feed.profiles)[BOTH] == pytest.approx(0.3, abs=0.03)
    assert feed.delays[30] == pytest.approx(0.75, abs=0.03)
    assert feed.local_dispersion < 1.1


def test_a_drawn_history_has_the_learnt_habits(rates: FittedRates) -> None:
    level = replace(rates, level_log_sd=0.0, drift_sd=0.0)
    sightings = simulate_from_rates(level, first_day=FIRST, n_days=2000, rng=np.random.default_rng(3))
    drawn = occurrences_of(sightings, AREAS, SERIES)
    assert (sightings.fine >= 0).mean() == pytest.approx(0.8 / 2, abs=0.04)
    placed = sightings.fine[sightings.fine >= 0]
    assert (placed % 4 == 0).mean() > 0.8
    assert (TERRAIN.area_of[placed] == sightings.area[sightings.fine >= 0]).all()
    of_any = drawn.series_index == SERIES.index((DEATHS, SubstanceClass.ANY))
    assert of_any.sum() / 2000 == pytest.approx(2.0, rel=0.1)
    assert (drawn.area[of_any] == -1).mean() == pytest.approx(0.2, abs=0.03)
    assert (drawn.known_day - drawn.day == 30)[of_any].mean() == pytest.approx(0.75, abs=0.03)
    names = Counter(drawn.series[index][1] for index in drawn.series_index.tolist())
    assert names[SubstanceClass.OPIATE] == names[SubstanceClass.ANY]
    assert names[SubstanceClass.STIMULANT] / names[SubstanceClass.ANY] == pytest.approx(0.3, abs=0.04)
    weekday = (np.array([FIRST.weekday()]) + drawn.day[of_any]) % 7
    assert (weekday >= 5).mean() == pytest.approx(2 * 1.5 / (2 * 1.5 + 5 * 0.8), abs=0.03)


def test_the_same_seed_gives_the_same_counts(rates: FittedRates) -> None:
    drawn = [
        simulate_from_rates(rates, first_day=FIRST, n_days=300, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert drawn[0].day.tobytes() == drawn[1].day.tobytes()
    assert drawn[0].fine.tobytes() == drawn[1].fine.tobytes()
    assert drawn[0].day.tobytes() != drawn[2].day.tobytes()


def test_histories_differ_in_level_as_much_as_the_years_did(rates: FittedRates) -> None:
    unsure = replace(rates, level_log_sd=0.3, drift_sd=0.0)
    sizes = [
        len(simulate_from_rates(unsure, first_day=FIRST, n_days=730, rng=np.random.default_rng(n)).day)
        for n in range(60)
    ]
    assert 0.2 < np.log(sizes).std() < 0.42


def test_masked_periods_teach_nothing() -> None:
    wave = [
        CountedEvent(
            date(2014, 6, 1), date(2014, 6, 1), AREAS[2], DEATHS, frozenset({SubstanceClass.FENTANYL})
        )
    ] * 500
    masked = fit_rates(
        [*_events(), *wave],
        TERRAIN,
        first_day=FIRST,
        last_day=LAST,
        masks=[(date(2014, 5, 1), date(2014, 7, 31))],
        populations=dict.fromkeys(AREAS, 1000.0),
    )
    assert SubstanceClass.FENTANYL not in {one for classes, _ in masked.feeds[0].profiles for one in classes}
    assert masked.feeds[0].per_day == pytest.approx(2.0, rel=0.05)


def test_clumped_events_are_learnt_as_dispersion_and_drawn_again() -> None:
    doubled = [event for event in _events(per_day=1.0) for _ in range(2)]
    rates = fit_rates(doubled, TERRAIN, first_day=FIRST, last_day=LAST)
    assert 1.7 < rates.feeds[0].local_dispersion < 2.3
    flat = replace(rates, level_log_sd=0.0, drift_sd=0.0)
    drawn = simulate_from_rates(
        flat,
        first_day=FIRST,
        n_days=3000,
        rng=np.random.default_rng(8),
    )
    counts = np.bincount(drawn.day[drawn.area == 0], minlength=3000)
    assert 1.6 < counts.var() / counts.mean() < 2.6


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(ValueError, match="leave no day"):
        fit_rates(_events(), TERRAIN, first_day=FIRST, last_day=LAST, masks=[(FIRST, LAST)])
    with pytest.raises(ValueError, match="no event"):
        fit_rates([], TERRAIN, first_day=FIRST, last_day=LAST)


def test_people_who_are_in_two_feeds_are_there_on_one_day_and_in_one_place() -> None:
    first, second = Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS
    events = [
        CountedEvent(FIRST + timedelta(days=day), FIRST + timedelta(days=day), AREAS[day % 3], feed, HEROIN)
        for day in range(1000)
        for feed in (first, second, second)
    ]
    rates = replace(
        fit_rates(events, TERRAIN, first_day=FIRST, last_day=FIRST + timedelta(days=999)),
        level_log_sd=0.0,
        drift_sd=0.0,
    )
    apart = replace(rates, also_in={})
    together, alone = (
        simulate_from_rates(one, first_day=FIRST, n_days=3000, rng=np.random.default_rng(5))
        for one in (rates, apart)
    )

    def shared_days(drawn: Sightings) -> float:
        cells = [
            set(zip(drawn.day[of].tolist(), drawn.area[of].tolist(), strict=True))
            for of in (drawn.feed == FEEDS.index(first), drawn.feed == FEEDS.index(second))
        ]
        return len(cells[0] & cells[1]) / len(cells[0])

    assert shared_days(together) > shared_days(alone) + 0.2
    number = (together.feed == FEEDS.index(second)).sum()
    assert number == pytest.approx(2 * 3000, rel=0.06), "the second feed keeps its volume"
