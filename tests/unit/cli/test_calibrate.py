"""Calibrating from the command line: what was asked for is what is learnt, and the smallest cluster is really that."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from detectors.budget import AREA_COUNTS, Budget, FamilyThresholds, Thresholds
from detectors.contract import Look
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier
from streams.detectors import detectors_of
from streams.profile import JurisdictionProfile
from streams.simulation.fitting import CountedEvent
from tocsin import calibrating
from tocsin.calibrating import (
    NotEnoughRecordsError,
    Wish,
    counted_events,
    in_force,
    is_simulated,
    learn_thresholds,
    smallest_clusters,
)
from tocsin.calibrating_people import BOTH, fewest_people
from tocsin.calibration import Plan, kent_profile
from tocsin.learnt import Learnt, learnt_for, uncalibrated
from tocsin.looking_back import LookingBack
from tocsin.replay import without_ordinary_supply

from .conftest import KENT, NOW, Tocsin, said
from .seeded import THANET

Opened = Callable[..., Any]


@pytest.fixture
def connection(seeded_folder: Path, writing: Opened) -> Iterator[Connection]:
    with writing() as opened:
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the minutes of simulation: notes what was asked for, and gives what comes with Tocsin."""
    noted: dict[str, Any] = {}

    def learn(plan: Plan, *, budget: Budget, progress: Callable[[float], None]) -> Learnt:
        noted.update(plan=plan, budget=budget)
        progress(1.0)
        return learnt_for(KENT, None)

    monkeypatch.setattr(calibrating, "calibrate_kent", learn)
    return noted


def _wide(line: str) -> str:
    return " ".join(line.split())


@pytest.mark.usefixtures("seeded_folder")
def test_the_smallest_clusters_are_told_as_a_table_as_json_and_as_csv(tocsin: Tocsin, tmp_path: Path) -> None:
    files = tmp_path / "s.json", tmp_path / "s.csv"
    done = tocsin("calibrate", "--smallest-only", "--json", files[0], "--csv", files[1])
    assert done.exit_code == 0, done.output
    content = json.loads(files[0].read_text(encoding="utf-8"))
    assert content["classification"] == "internal"
    rows = content["smallest_clusters"]
    assert len(rows) == (13 + 1) * 4 * 4
    here = {
        one["window"]: one
        for one in rows
        if (one["area"], one["feed"]) == (THANET, Feed.AMBULANCE_NALOXONE.value)
    }
    assert sorted(here) == [1, 3, 7, 14]
    pages = [here[window]["smallest_page"] for window in (1, 3, 7, 14)]
    assert pages == sorted(pages)
    cells = [f"{one['smallest_page']} ({one['smallest_review']})" for one in here.values()]
    line = " ".join(["Thanet ambulance naloxone", *cells])
    assert line in [_wide(one) for one in done.stdout.splitlines()]
    told = list(csv.DictReader(io.StringIO(files[1].read_text(encoding="utf-8"))))
    assert len(told) == len(rows)
    assert {one["classification"] for one in told} == {"internal"}
    assert [one["smallest_page"] for one in told] == [
        "" if one["smallest_page"] is None else str(one["smallest_page"]) for one in rows
    ]
    together = [one for one in content["fewest_people"] if one["area"] == THANET]
    assert [one["window"] for one in together] == [1, 3, 7, 14]
    assert "people in both ambulance naloxone and A&E presentations" in done.stdout
    assert done.stdout.startswith("INTERNAL")
    assert "area_counts page" in _wide(done.stdout)


@pytest.mark.usefixtures("seeded_folder")
def test_a_feed_that_may_not_page_pages_at_no_count(tocsin: Tocsin, tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    assert tocsin("calibrate", "--smallest-only", "--json", file).exit_code == 0
    for one in json.loads(file.read_text(encoding="utf-8"))["smallest_clusters"]:
        # The seeded records are of two feeds; the others have no history at all.
        known = one["feed"] in {Feed.AMBULANCE_NALOXONE.value, Feed.ED_PRESENTATIONS.value}
        assert (one["smallest_page"] is not None) is known
        assert one["smallest_review"] is None or one["smallest_review"] <= one["smallest_page"]


@pytest.mark.parametrize(("window", "feed"), [(1, Feed.AMBULANCE_NALOXONE), (7, Feed.ED_PRESENTATIONS)])
def test_so_many_events_page_and_one_fewer_do_not(connection: Connection, window: int, feed: Feed) -> None:
    profile = kent_profile()
    thresholds = learnt_for(KENT, None).counts
    rows = smallest_clusters(profile, thresholds, in_force(connection, profile, NOW), NOW.date())
    (row,) = [one for one in rows if (one.area, one.feed, one.window) == (THANET, feed, window)]
    assert row.page is not None
    back = LookingBack(profile, detectors_of(profile))
    fitted, _ = back.week(connection, date(2018, 1, 22))
    look = back.look(connection, fitted, thresholds, today=date(2018, 1, 22), as_of=NOW)

    def tier_of(count: int) -> Tier | None:
        found = [
            signal
            for detector in back.detectors
            if detector.name == AREA_COUNTS  # the others look at single events too, which stay as they are
            for signal in detector.detect(_with(look, feed, count, row.days))
            if signal.areas == (THANET,)
        ]
        return max((signal.tier for signal in found), key=lambda tier: tier.rank, default=None)

    assert tier_of(row.page) is Tier.PAGE
    assert tier_of(row.page - 1) is not Tier.PAGE


def test_the_fewest_people_page_through_all_detectors_and_one_fewer_do_not(connection: Connection) -> None:
    profile = kent_profile()
    thresholds = _with_fusion(learnt_for(KENT, None).counts)
    fitted = in_force(connection, profile, NOW)
    detectors = detectors_of(profile)
    today = NOW.date()
    rows = fewest_people(profile, fitted, detectors, thresholds, today, windows=(3,))
    assert len(rows) == 13
    alone = smallest_clusters(profile, thresholds, fitted, today)
    for row in rows:
        one_feed = [
            one.page
            for one in alone
            if (one.area, one.window) == (row.area, 3) and one.feed in BOTH and one.page is not None
        ]
        assert row.page is not None
        # Two feeds that see the same people never need more of them than the better one alone.
        assert row.page <= min(one_feed)
        assert row.review is not None
        assert row.review <= row.page
    only_fusion = thresholds.model_copy(update={"families": {"fusion": thresholds.families["fusion"]}})
    fused = fewest_people(profile, fitted, detectors, only_fusion, today, windows=(3,))
    assert all(
        row.page <= one.page
        for row, one in zip(rows, fused, strict=True)
        if row.page and one.page is not None
    )


def _with_fusion(thresholds: Thresholds) -> Thresholds:
    scores = {Tier.RECORD: 2.0, Tier.REVIEW: 3.0, Tier.PAGE: 5.0}
    return thresholds.with_family("fusion", FamilyThresholds(scores=scores))


def _with(look: Look, feed: Feed, count: int, days: int) -> Look:
    """The look with nothing in it but some events of one feed in Thanet, on the oldest day of a window."""
    counts = np.zeros_like(look.cube.counts)
    series = look.cube.series.index((feed, SubstanceClass.ANY))
    counts[series, -days, [look.cube.areas.index(THANET), -1]] = count
    return replace(look, cube=replace(look.cube, counts=counts))


def test_what_is_asked_for_is_what_is_learnt(
    tocsin: Tocsin, seeded_folder: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "kent.json"
    done = tocsin(
        *("calibrate", "--years", 40, "--seed", 7, "--budget-pages", 6, "--budget-reviews", 1.5, "--out", out)
    )
    assert done.exit_code == 0, done.output
    assert asked["plan"] == Plan(count_histories=20, tripwire_years=50, seed=7)
    assert (asked["budget"].pages_per_year, asked["budget"].reviews_per_week) == (6.0, 1.5)
    assert learnt_for(KENT, out).counts.families
    assert f'thresholds = "{out}"' in done.stdout
    assert "[jurisdictions.kent-and-medway]" in done.stdout
    # The file is used as the text says.
    settings = seeded_folder / "tocsin.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace(
            "[jurisdictions.kent-and-medway]", f'[jurisdictions.kent-and-medway]\nthresholds = "{out}"'
        )
    )
    assert tocsin("calibrate", "--smallest-only").exit_code == 0


@pytest.mark.usefixtures("seeded_folder")
def test_without_years_as_many_are_simulated_as_come_with_tocsin(
    tocsin: Tocsin, asked: dict[str, Any]
) -> None:
    done = tocsin("calibrate")
    assert done.exit_code == 0, done.output
    assert asked["plan"] == Plan(count_histories=60, tripwire_years=150, seed=2026)
    assert "were not kept" in done.stdout


def test_a_place_of_its_own_is_learnt_from_its_own_records(connection: Connection) -> None:
    profile = kent_profile()
    assert is_simulated(profile)
    elsewhere = replace(profile, jurisdiction="elsewhere")  # type: ignore[arg-type]
    assert not is_simulated(elsewhere)
    wish = Wish(seed=1, budget=Budget(), years=1)
    with pytest.raises(NotEnoughRecordsError, match=r"has 0 records .* at least 30"):
        learn_thresholds(connection, elsewhere, wish, NOW)


def test_what_is_left_out_teaches_nothing_and_the_rest_is_learnt_with_what_was_asked(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: dict[str, Any] = {}

    def learn(
        counted: list[CountedEvent], profile: JurisdictionProfile, stated: Learnt, **asked: object
    ) -> Learnt:
        noted.update(asked, days=sorted(one.day for one in counted))
        return stated

    monkeypatch.setattr(calibrating, "is_simulated", lambda _: False)
    monkeypatch.setattr(calibrating, "learn_from", learn)
    budget = Budget(pages_per_year=2)
    first, last = date(2017, 5, 1), date(2017, 12, 31)
    learn_thresholds(connection, kent_profile(), Wish(seed=3, budget=budget, leave_out=((first, last),)), NOW)
    assert noted["days"][0] < first
    assert noted["days"][-1] > last
    assert not [day for day in noted["days"] if first <= day <= last]
    assert (noted["years"], noted["seed"], noted["budget"]) == (200, 3, budget)
    assert noted["masks"] == ((first, last),), "days without events would teach that nothing happens"


@pytest.mark.parametrize(
    ("years", "finds", "is_watched"), [(1, 12, False), (0.2, 11, True), (5, 12, True), (5, 60, False)]
)
def test_a_class_is_ordinary_supply_if_it_was_found_monthly_however_long_the_records_go_back(
    years: float, finds: int, is_watched: bool
) -> None:
    first = date(2012, 1, 1)
    days = [first + timedelta(days=int(365 * years * number / finds)) for number in range(finds)]
    teaching = [
        CountedEvent(day, day, None, Feed.DRUG_CHECKING, frozenset({SubstanceClass.NITAZENE})) for day in days
    ]
    teaching += [
        CountedEvent(day, day, None, Feed.DRUG_CHECKING, frozenset({SubstanceClass.OPIATE}))
        for day in (first, first + timedelta(days=int(365 * years)))
    ]
    kept = without_ordinary_supply(uncalibrated(KENT).tripwires, teaching).watch_list
    assert (SubstanceClass.NITAZENE in kept) is is_watched


@pytest.mark.usefixtures("seeded_folder")
def test_another_class_has_smallest_clusters_of_its_own(tocsin: Tocsin, tmp_path: Path) -> None:
    made = {}
    for name in ("any", "nitazene"):
        file = tmp_path / f"{name}.json"
        assert tocsin("calibrate", "--smallest-only", "--class", name, "--json", file).exit_code == 0
        made[name] = [
            one
            for one in json.loads(file.read_text(encoding="utf-8"))["smallest_clusters"]
            if one["smallest_page"] is not None
        ]
    assert {one["substance_class"] for one in made["nitazene"]} == {"nitazene"}
    pairs = list(zip(made["any"], made["nitazene"], strict=True))
    assert all(rare["smallest_page"] <= usual["smallest_page"] for usual, rare in pairs)
    assert any(rare["smallest_page"] < usual["smallest_page"] for usual, rare in pairs)


def test_records_that_teach_are_those_that_stand_and_bulk_loads_have_the_delays_of_the_feed(
    connection: Connection,
) -> None:
    found = counted_events(connection, kent_profile(), NOW)
    assert len(found) > 400
    assert max(one.day for one in found) <= NOW.date()
    delays = [(one.known_day - one.day).days for one in found]
    assert min(delays) == 0
    assert 0 < float(np.mean(delays)) < 1.5
    early = datetime(2018, 1, 8, tzinfo=NOW.tzinfo)
    assert len(counted_events(connection, kent_profile(), early)) < len(found)


@pytest.mark.usefixtures("seeded_folder")
def test_as_at_an_earlier_day_it_knows_what_was_known_then(tocsin: Tocsin, tmp_path: Path) -> None:
    made = {}
    for day in ("2018-01-15", "2018-01-22"):
        file = tmp_path / f"{day}.json"
        done = tocsin("calibrate", "--smallest-only", "--on", day, "--json", file)
        assert f"would find on {day}" in done.stdout
        made[day] = json.loads(file.read_text(encoding="utf-8"))["smallest_clusters"]
    expected = [[one["expected"] for one in rows] for rows in made.values()]
    assert expected[0] != expected[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--smallest-only", "--out", "a.json"), "--smallest-only learns nothing"),
        (("--smallest-only", "--years", 3), "--smallest-only learns nothing"),
        (("--class", "tea"), "--class must be one of"),
        (("--leave-out", "last summer"), "two days such as"),
        (("--leave-out", "2018-02-01:2018-01-01"), "before its first"),
        (("--budget-pages", 0), "--budget-pages"),
    ],
)
def test_a_wrong_use_is_refused(tocsin: Tocsin, arguments: tuple[object, ...], told: str) -> None:
    done = tocsin("calibrate", *arguments)
    assert done.exit_code == 2
    assert told in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--out", "no/such/folder/a.json"), "no folder"),
        (("--jurisdiction", "nowhere"), "not a jurisdiction"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tocsin: Tocsin, arguments: tuple[object, ...], told: str) -> None:
    assert told in said(tocsin("calibrate", *arguments))


def test_a_place_with_no_records_says_that_nothing_would_be_found(tocsin: Tocsin) -> None:
    done = tocsin("calibrate", "--smallest-only")
    assert done.exit_code == 0, done.output
    assert "Thanet ambulance naloxone - (-) - (-) - (-) - (-)" in _wide(done.stdout)
