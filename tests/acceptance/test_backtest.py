"""A backtest on the made-up coast: its figures are those of the records, its report shows its figures, and nothing else.

One test runs the command as a person would, calibration included; the others take thresholds as learnt, for speed.
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from detectors.budget import AREA_COUNTS, FUSION, FamilyThresholds, Learnt, RateCurve, Thresholds
from schemas.vocabulary import Jurisdiction, Tier
from tests.acceptance.made_up_coast import (
    AUTUMN,
    MAPPING,
    SPRING,
    Row,
    calls,
    late_cluster,
    write_calls,
    write_place,
)
from tests.acceptance.real_service import TOCSIN, environment
from tocsin import replay
from tocsin.backtest import Asked, backtest
from tocsin.backtest_labels import read_labels
from tocsin.backtest_page import report_page
from tocsin.backtest_records import BacktestError, Files, Wanted, from_files
from tocsin.learnt import Learnt as Known
from tocsin.learnt import uncalibrated

LABELS = f"""name,start,end,areas,class
Sandholme in spring,{SPRING},{SPRING + timedelta(days=2)},Sandholme,
Westquay in autumn,{AUTUMN},{AUTUMN},T3,
Nothing at all,2016-07-01,2016-07-03,Marram,
The year before,2015-03-01,2015-03-03,,
"""
VISITS = MAPPING.replace('"ambulance-naloxone"', '"ed-presentations"').replace("coast-calls", "coast-visits")
VISITS = VISITS.replace("coast-ambulance", "coast-hospital").replace("areas.event", "areas.residence")
Backtest = Callable[..., dict[str, Any]]


def _family(pages: float) -> FamilyThresholds:
    """A curve of the usual steepness: a tenth as many false episodes for each unit of the score."""
    scores = tuple(round(2.0 + 0.25 * step, 2) for step in range(17))
    curve = RateCurve(
        scores=scores, episodes_per_year=tuple(40 * 10 ** -(score - 2.0) for score in scores), tail_rate=2.3
    )
    told = Learnt(
        nominal_per_year=pages, realised_per_year=pages, standard_error=0.1, score_standard_error=0.05
    )
    return FamilyThresholds(
        scores={Tier.RECORD: 2.5, Tier.REVIEW: 3.0, Tier.PAGE: 4.5},
        curve=curve,
        page_curve=curve,
        learnt={Tier.PAGE: told},
    )


@pytest.fixture
def _learnt_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes thresholds as learnt, instead of simulating for a minute."""

    def known(*_: object) -> Known:
        counts = Thresholds(
            model_version="made-up",
            families={AREA_COUNTS: _family(1.0), FUSION: _family(1.6)},
            years=100.0,
            seed=5,
            note="Made up.",
        )
        return uncalibrated(Jurisdiction("made-up-coast")).model_copy(update={"counts": counts})

    monkeypatch.setattr(replay, "calibrate", known)


def two_feeds(folder: Path, rows: list[Row]) -> Files:
    """The coast's calls, and visits to its hospital in which nothing happens."""
    geography, mapping = write_place(folder)
    visits = folder / "visits.toml"
    visits.write_text(VISITS, encoding="utf-8")
    quiet = [
        replace(row, ref=f"V{row.ref}", scene="")
        for row in calls(seed=2)
        if not (row.town == "Sandholme" and SPRING <= row.when.date() < SPRING + timedelta(days=3))
        and row.when.date() != AUTUMN
    ]
    return Files(
        (write_calls(folder / "calls.csv", rows), write_calls(folder / "visits.csv", quiet)),
        (mapping, visits),
        geography,
        name="Made-up Coast",
    )


@pytest.fixture
def played(tmp_path_factory: pytest.TempPathFactory, _learnt_already: None) -> Backtest:
    """Backtests some rows beside the quiet visits, and returns the document."""

    def run(
        rows: list[Row] | None = None, first: date = SPRING, days: int = 21, leave_one_out: bool = True
    ) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("coast")
        (folder / "labels.csv").write_text(LABELS, encoding="utf-8")
        begin = first - timedelta(days=10)
        wanted = Wanted(begin, begin + timedelta(days=days), 0, 1)
        with from_files(two_feeds(folder, calls() if rows is None else rows), wanted) as records:
            labels = read_labels(folder / "labels.csv", records.profile.geography)
            return backtest(records, Asked(labels=labels, leave_one_out=leave_one_out))

    return run


def test_the_cluster_is_found_in_time_and_the_feed_that_saw_it_is_the_one_that_is_missed(
    played: Backtest,
) -> None:
    content = played()
    assert [one["name"] for one in content["labels"]] == ["Sandholme in spring"]
    assert content["labels_outside"] == ["The year before", "Nothing at all", "Westquay in autumn"]
    (label,) = content["labels"]
    delays = [one["delay_days"] for one in label["pages"]]
    assert all(delay is not None and 0 < delay <= 4 for delay in delays)
    assert delays == sorted(delays, reverse=True), "a larger budget is never later"
    assert label["review"]["delay_days"] <= delays[-1]
    without = {one["feed"]: one for one in content["leave_one_out"]}
    assert without["ambulance-naloxone"]["only_with_it"] == ["Sandholme in spring"]
    assert without["ed-presentations"]["only_with_it"] == []
    assert without["ed-presentations"]["labels_found_without"] == 1


def test_the_figures_add_up_and_are_those_of_the_records(played: Backtest) -> None:
    content = played(leave_one_out=False)
    assert content["leave_one_out"] == []
    first, last = (date.fromisoformat(content["period"][name]) for name in ("first", "last"))
    happened = [row for row in calls() if first <= row.when.date() <= last and row.known.date() <= last]
    assert sum(one["count"] for one in content["weekly"]["ambulance-naloxone"]) == len(happened)
    for one in content["budgets"]:
        assert one["labelled"] + one["unlabelled"] == one["episodes"]
        assert one["unlabelled_per_year"] == pytest.approx(
            one["unlabelled"] / content["period"]["years"], rel=1e-3
        )
    pages = [one["episodes"] for one in content["budgets"]]
    assert len(content["pages"]) == pages[-1] <= content["reviews"]["episodes"]
    for budget in content["budgets"]:
        assert set(budget["scores"]) == {AREA_COUNTS, FUSION}
        assert 0 < sum(budget["allowed_by_family"].values()) < budget["pages_per_year"]
    page_scores = [one["scores"][AREA_COUNTS]["page"] for one in content["budgets"]]
    assert page_scores == sorted(page_scores, reverse=True)


def test_four_at_one_address_page_at_every_budget(played: Backtest) -> None:
    content = played(first=AUTUMN, days=12, leave_one_out=False)
    (label,) = content["labels"]
    assert label["name"] == "Westquay in autumn"
    assert [one["delay_days"] for one in label["pages"]] == [1, 1, 1, 1]
    (page,) = [one for one in content["pages"] if one["labels"]]
    assert page["from_budget"] == 2.0
    assert "tripwire_scene" in page["families"]


def test_the_same_records_and_seed_give_the_same_bytes(played: Backtest) -> None:
    written = [report_page(played(days=12)) for _ in range(2)]
    assert written[0] == written[1]


def test_what_became_known_after_the_period_changes_nothing_in_it(played: Backtest) -> None:
    known = datetime(2016, 8, 1, 5, 30)  # noqa: DTZ001 (a table's local time)
    before, after = (
        played(rows, days=12, leave_one_out=False) for rows in (calls(), [*calls(), *late_cluster(known)])
    )
    assert before.pop("records") != after.pop("records")
    assert before == after


@pytest.fixture
def learn_nothing(tmp_path: Path, _learnt_already: None) -> Files:
    return two_feeds(tmp_path, calls())


@pytest.mark.parametrize(
    ("mappings", "wanted", "told"),
    [
        (0, Wanted(date(2030, 1, 1), None, 0, 1), "would begin on 2030-01-01"),
        (0, Wanted(date(2017, 1, 10), date(2017, 1, 20), 0, 1), "No record became known from"),
        (3, Wanted(None, None, 0, 1), "2 files and 3 mappings"),
    ],
)
def test_what_cannot_be_done_is_said(learn_nothing: Files, mappings: int, wanted: Wanted, told: str) -> None:
    files = learn_nothing
    if mappings:
        files = replace(files, mappings=(files.mappings[0],) * mappings)
    with (
        pytest.raises(BacktestError, match=told),
        from_files(files, wanted),
    ):
        pass


def test_files_of_two_places_are_refused(learn_nothing: Files) -> None:
    other = learn_nothing.mappings[1]
    other.write_text(VISITS.replace("made-up-coast", "another-coast"), encoding="utf-8")
    with (
        pytest.raises(BacktestError, match="a backtest is of one place"),
        from_files(learn_nothing, Wanted(None, None, 0, 1)),
    ):
        pass


def test_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    files = two_feeds(tmp_path, calls())
    with (
        pytest.raises(BacktestError, match="too few to learn thresholds from"),
        from_files(files, Wanted(date(2015, 1, 12), date(2015, 2, 1), 0, 1)),
    ):
        pass


def test_the_command_writes_a_report_that_is_whole_in_itself_and_holds_the_figures(tmp_path: Path) -> None:
    files = two_feeds(tmp_path, calls())
    labels = tmp_path / "labels.csv"
    labels.write_text(LABELS, encoding="utf-8")
    out = tmp_path / "report.html"
    done = subprocess.run(
        [
            *(*TOCSIN, "backtest", *map(str, files.files), "--geography", str(files.geography)),
            *(part for path in files.mappings for part in ("--mapping", str(path))),
            *(
                "--labels",
                str(labels),
                "--calibration-years",
                "2",
                "--budgets",
                "1.5,4,12",
                "--name",
                "The Coast",
            ),
            *("--from", "2016-03-28", "--to", "2016-05-01", "--out", str(out)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    text = unescape(out.read_text(encoding="utf-8"))
    assert 'content="internal"' in text
    assert content["classification"] == "internal"
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(", text), (
        "it asks no network for anything"
    )
    assert text.count("<svg") == text.count("</svg>") == 4
    cells = re.findall(r"<td>([^<]*)</td>", text)
    for one in content["budgets"]:
        line = [
            f"{one['pages_per_year']:g}",
            str(one["episodes"]),
            str(one["labelled"]),
            str(one["unlabelled"]),
        ]
        starts = [index for index in range(len(cells)) if cells[index : index + 4] == line]
        assert starts, line
        assert f"Budget {one['pages_per_year']:g} a year: {one['episodes']} page" in done.stdout
    for label in content["labels"]:
        assert label["name"] in cells
        for one in label["pages"]:
            assert (f"day {one['delay_days']} ({one['by']})" if one["found"] else "missed") in cells
    for page in content["pages"]:
        assert page["day"] in cells
    for feed in ("ambulance naloxone", "A&E presentations"):
        assert feed in text
    assert content["thresholds"]["years"] == pytest.approx(2.0, abs=0.1)
    assert content["records"]["quarantined"] == {}
