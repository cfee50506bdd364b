"""The detector of last resort: simple, rare, and never silent about what it is."""

from datetime import date

import numpy as np
import pytest

from detectors.fallback import BEFORE_DAYS, plain_signals
from detectors.history import CountCube
from detectors.zones import zones_of
from schemas.clock import LONDON
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

AREAS = tuple(AreaCode(f"A{number:02}") for number in range(13))
ROOT = AreaCode("ROOT")
SERIES = tuple((feed, SubstanceClass.ANY) for feed in Feed)
ZONES = zones_of(AREAS, {}, ROOT)


def signals(counts: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> list[Signal]:
    cube = CountCube(date(2024, 1, 1), AREAS, SERIES, counts)
    return plain_signals(Jurisdiction("here"), cube, ZONES, {AREAS[2]: "Thanet"}, LONDON)


def quiet(
    days: int = 35, rate: float = 0.1, seed: int = 0
) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    counts = np.random.default_rng(seed).poisson(rate, (len(SERIES), days, len(AREAS) + 1)).astype(np.int32)
    counts[:, :, -1] = counts[:, :, :-1].sum(axis=2)
    return counts


def add(counts: np.ndarray[tuple[int, ...], np.dtype[np.int32]], feed: Feed, area: int, cases: int) -> None:
    row = [one for one, _ in SERIES].index(feed)
    counts[row, -1, area] += cases
    counts[row, -1, -1] += cases


def test_a_burst_in_one_area_pages_and_the_sentence_says_how_it_was_found() -> None:
    counts = quiet()
    add(counts, Feed.AMBULANCE_NALOXONE, 2, 9)
    strongest = signals(counts)[0]
    assert strongest.areas == (AREAS[2],)
    assert strongest.tier is Tier.PAGE
    assert strongest.observed >= 9
    assert "Thanet" in strongest.sentence
    assert "the usual detection failed" in strongest.sentence


def test_samples_alone_do_not_page() -> None:
    counts = quiet()
    add(counts, Feed.DRUG_CHECKING, 2, 20)
    assert {one.tier for one in signals(counts)} == {Tier.REVIEW}


def test_two_quiet_years_give_next_to_nothing() -> None:
    days = 2 * 365
    counts = quiet(days, seed=7)
    found = [signals(counts[:, : day + 1][:, -35:]) for day in range(35, days)]
    assert sum(one.tier is Tier.PAGE for today in found for one in today) == 0
    assert sum(bool(today) for today in found) <= 4


@pytest.mark.parametrize("days", [1, 3, BEFORE_DAYS])
def test_without_four_weeks_before_it_finds_nothing(days: int) -> None:
    counts = quiet(days)
    add(counts, Feed.AMBULANCE_NALOXONE, 2, 9)
    assert signals(counts) == []
