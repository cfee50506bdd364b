"""Explaining a signal: the numbers come out again as stored, from what was known then, and a person can follow them."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from detectors.fallback import plain_signals
from schemas.signals import Signal
from schemas.tables.detection import signal as signal_table
from schemas.vocabulary import Tier
from streams.detection import jurisdiction_zones
from streams.signal_store import store
from tocsin.calibration import kent_profile
from tocsin.learnt import learnt_for
from tocsin.looking_back import LookingBack

from .conftest import KENT, Tocsin, said
from .seeded import THANET

Opened = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("seeded_folder")


@pytest.fixture
def signals(tocsin: Tocsin) -> list[dict[str, Any]]:
    """Every signal, as the list gives them."""
    done = tocsin("explain", "--json", "--last", 500)
    assert done.exit_code == 0, done.output
    listed = json.loads(done.stdout)
    assert listed["classification"] == "internal"
    found: list[dict[str, Any]] = listed["signals"]
    return found


@pytest.fixture
def counted(signals: list[dict[str, Any]]) -> dict[str, Any]:
    """The latest signal of counts in Thanet."""
    return next(one for one in signals if f":area:{THANET}:" in one["name"])


@pytest.fixture
def scene(signals: list[dict[str, Any]]) -> dict[str, Any]:
    """The address at which four people were harmed."""
    return next(one for one in signals if one["name"].startswith("tripwire_scene:"))


def explained(tocsin: Tocsin, signal: object, *more: object) -> dict[str, Any]:
    done = tocsin("explain", signal, "--json", *more)
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_every_stored_signal_that_was_computed_comes_out_again_number_for_number(
    tocsin: Tocsin, signals: list[dict[str, Any]]
) -> None:
    computed = [one for one in signals if not one["name"].startswith("tripwire_")]
    assert len(computed) >= 3
    # The latest of each detector, and some more: each takes a fit of the baseline.
    latest = {one["name"].partition(":")[0]: one for one in reversed(computed)}
    for one in [*latest.values(), *computed[1:4]]:
        again = explained(tocsin, one["id"])["recomputed"]
        assert (again["equal"], again["differences"]) == (True, []), one["name"]


def _rewrite(writing: Opened, number: int, **changes: object) -> Signal:
    """Change a stored signal behind Tocsin's back."""
    with writing() as connection:
        row = connection.execute(select(signal_table).where(signal_table.c.id == number)).one()
        body = {**row.body, **changes}
        connection.execute(update(signal_table).where(signal_table.c.id == number).values(body=body))
    return Signal.model_validate(body)


def test_numbers_that_do_not_come_out_again_are_named(
    tocsin: Tocsin, counted: dict[str, Any], writing: Opened
) -> None:
    before = explained(tocsin, counted["id"])["signal"]
    _rewrite(writing, counted["id"], observed=before["observed"] + 1)
    again = explained(tocsin, counted["id"])["recomputed"]
    assert not again["equal"]
    assert again["differences"] == [
        {"what": "observed", "stored": before["observed"] + 1, "recomputed": before["observed"]}
    ]
    shown = tocsin("explain", counted["id"]).stdout
    assert "NOT EQUAL: Some numbers differ" in shown
    assert f"observed: stored {before['observed'] + 1}, now {before['observed']}" in shown


def test_thresholds_learnt_anew_are_told_from_numbers_that_differ(
    tocsin: Tocsin, counted: dict[str, Any], writing: Opened
) -> None:
    _rewrite(writing, counted["id"], recurrence_interval_days=77.0)
    again = explained(tocsin, counted["id"])["recomputed"]
    assert [one["what"] for one in again["differences"]] == ["recurrence_interval_days"]
    assert "these were learnt anew since" in again["note"]


def test_a_page_that_was_held_back_because_of_its_evidence_is_no_difference(
    tocsin: Tocsin, counted: dict[str, Any], writing: Opened
) -> None:
    _rewrite(writing, counted["id"], tier="review")
    again = explained(tocsin, counted["id"])["recomputed"]
    assert again["equal"]
    assert again["tier_of_the_detector"] == "page"


@pytest.mark.parametrize(
    ("detector", "told"), [("gone", "no detector called gone"), ("fallback", "does not come out")]
)
def test_what_this_tocsin_cannot_work_out_again_is_said(
    tocsin: Tocsin, counted: dict[str, Any], writing: Opened, detector: str, told: str
) -> None:
    _rewrite(writing, counted["id"], detector=detector, family=detector, parameters={})
    document = explained(tocsin, counted["id"])
    assert told in document["recomputed"]["note"]
    assert document["thresholds"]["score"] is None
    assert "no thresholds" in tocsin("explain", counted["id"]).stdout


def test_a_signal_of_the_simplest_detector_comes_out_again_too(
    tocsin: Tocsin, seeded_folder: Path, writing: Opened
) -> None:
    profile = kent_profile()
    now = datetime(2018, 1, 22, 12, tzinfo=UTC)
    with writing() as connection:
        back = LookingBack(profile, ())
        fitted, _ = back.week(connection, date(2018, 1, 22))
        today = date(2018, 1, 21)
        look = back.look(connection, fitted, learnt_for(KENT, None).counts, today=today, as_of=now)
        zones = jurisdiction_zones(profile)
        (signal, *_) = plain_signals(KENT, look.cube, zones, look.names, profile.zone)
        store(connection, [signal], now)
    document = explained(tocsin, f"fallback:{signal.key}:2018-01-21")
    assert document["recomputed"]["equal"], document["recomputed"]


def test_it_is_about_what_was_known_then_and_not_about_what_is_known_now(
    tocsin: Tocsin, counted: dict[str, Any]
) -> None:
    # One of the nine was moved to Canterbury a minute later.
    document = explained(tocsin, counted["id"])
    assert document["signal"]["observed"] >= 9
    assert document["recomputed"]["equal"]
    last_days = sum(one["count"] for one in document["days"] if one["in_window"])
    assert last_days == document["signal"]["observed"]
    assert len(document["evidence"]) == document["signal"]["observed"]


def test_all_windows_are_shown_and_the_one_that_won_is_the_signals(
    tocsin: Tocsin, counted: dict[str, Any]
) -> None:
    document = explained(tocsin, counted["id"])
    signal, (feed,) = document["signal"], document["feeds"]
    assert len(feed["windows"]) == 14
    (won,) = [one for one in feed["windows"] if one["won"]]
    assert (won["observed"], won["first_day"]) == (signal["observed"], signal["window_start"])
    assert won["expected"] == pytest.approx(signal["expected"], rel=1e-12)
    assert won["p_value"] == pytest.approx(signal["p_value"], rel=1e-12)
    assert won["interval"] == signal["interval"]
    assert round(won["score"], 4) == document["thresholds"]["score"] == signal["parameters"]["score"]
    observed = [one["observed"] for one in feed["windows"]]
    assert observed == sorted(observed)


def test_the_history_the_thresholds_and_the_other_places_are_shown(
    tocsin: Tocsin, counted: dict[str, Any]
) -> None:
    document = explained(tocsin, counted["id"])
    history = document["feeds"][0]["history"]
    assert 330 < history["training_days"] < history["history_days"] < 385
    assert len(history["weekly"]) == 52
    low, high = history["level_interval"]
    assert low < history["level_per_day"] < high
    assert history["completeness"][-1] == 1.0
    told = document["thresholds"]
    assert set(told["scores"]) == {tier.value for tier in Tier}
    assert told["reached"] == "page"
    assert told["years"] > 100
    assert {"nominal_per_year", "realised_per_year", "standard_error"} <= set(told["learnt"]["page"])
    others = document["alternatives"]
    assert [one["score"] for one in others] == sorted((one["score"] for one in others), reverse=True)
    assert [one["is_this_signal"] for one in others].count(True) == 1
    assert {one["zone"].partition(":")[0] for one in others} >= {"area", "around"}


def test_a_tripwire_shows_its_rule_its_thresholds_its_base_rate_and_its_evidence(
    tocsin: Tocsin, scene: dict[str, Any]
) -> None:
    document = explained(tocsin, scene["id"])
    rule = document["rule"]
    assert rule["people"] == 4
    assert rule["pages_from"] == rule["limits"]["scene_page"] == 3
    assert rule["base_rate"]["years"] > 100
    assert rule["base_rate"]["per_year"] > 0
    assert len(document["evidence"]) == 4
    assert {one["area"] for one in document["evidence"]} == {"Thanet"}
    assert "recomputed" not in document
    shown = tocsin("explain", scene["id"]).stdout
    assert "Rule tripwire_scene" in shown
    assert all(one["identity"] in shown for one in document["evidence"])


def test_a_person_reads_it_in_lines_and_tables(tocsin: Tocsin, counted: dict[str, Any]) -> None:
    done = tocsin("explain", counted["id"])
    assert done.exit_code == 0, done.output
    shown = done.stdout
    assert shown.startswith("INTERNAL")
    assert counted["sentence"] in shown
    assert "EQUAL: Worked out again" in shown
    for words in (
        "Thresholds",
        "reaches page",
        "Windows of ambulance naloxone",
        "days of history",
        "Evidence: ",
    ):
        assert words in shown
    (strip,) = [line for line in shown.splitlines() if re.fullmatch(r"2017-12-26  (. ){28} 2018-01-22", line)]
    assert re.search(r" [3-9] ", strip)
    assert "^" in shown


def test_a_signal_is_found_by_its_name_too(tocsin: Tocsin, counted: dict[str, Any]) -> None:
    assert explained(tocsin, counted["name"])["id"] == counted["id"]


def test_without_a_signal_the_latest_are_listed(tocsin: Tocsin, signals: list[dict[str, Any]]) -> None:
    shown = tocsin("explain", "--last", 2).stdout
    assert signals[0]["name"] in shown
    assert signals[2]["name"] not in shown


@pytest.mark.parametrize(
    ("name", "begins"), [("c.svg", b"<svg"), ("c.png", b"\x89PNG"), ("c.html", b"<!doc")]
)
def test_the_chart_is_drawn_into_a_file(
    tocsin: Tocsin, counted: dict[str, Any], tmp_path: Path, name: str, begins: bytes
) -> None:
    done = tocsin("explain", counted["id"], "--chart", tmp_path / name)
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_the_page_is_whole_in_itself_and_stamped(
    tocsin: Tocsin, counted: dict[str, Any], scene: dict[str, Any], tmp_path: Path
) -> None:
    for one in (counted, scene):
        file = tmp_path / "page.html"
        assert tocsin("explain", one["id"], "--html", file).exit_code == 0
        text = file.read_text(encoding="utf-8")
        assert one["sentence"].replace("&", "&amp;") in text
        assert 'content="internal"' in text
        assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", text)


def test_a_tripwire_has_no_chart(tocsin: Tocsin, scene: dict[str, Any], tmp_path: Path) -> None:
    assert "no counts to draw" in said(tocsin("explain", scene["id"], "--chart", tmp_path / "a.svg"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("999999",), "There is no signal 999999"),
        (("nonsense",), "names no signal"),
        (("area_counts:x:2018-01-22",), "There is no signal"),
        (("1", "--jurisdiction", "nowhere"), "not a jurisdiction"),
        (("1", "--html", "no/such/folder/a.html"), "no folder"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tocsin: Tocsin, arguments: tuple[str, ...], told: str) -> None:
    assert told in said(tocsin("explain", *arguments))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--chart", "a.svg"), "need a signal"), (("1", "--chart", "a.gif"), "--chart must end in")],
)
def test_a_wrong_use_is_refused(tocsin: Tocsin, arguments: tuple[str, ...], told: str) -> None:
    done = tocsin("explain", *arguments)
    assert done.exit_code == 2
    assert told in done.output
