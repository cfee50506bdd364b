"""Backtesting from the command line: labels, budgets and options; what is refused, and how."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.budget import AREA_COUNTS, Budget, FamilyThresholds, RateCurve, Thresholds
from detectors.calibration import Played, Steps, Tally, learn
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier
from tocsin.backtest_budgets import AtBudget, at_budget, everything
from tocsin.backtest_labels import Label, LabelsError, read_labels
from tocsin.backtest_play import Finding
from tocsin.backtest_scoring import scored
from tocsin.learnt import learnt_for, uncalibrated

from .conftest import KENT, Tocsin, said
from .seeded import THANET

ROOT = AreaCode("KM")
CANTERBURY = AreaCode("E07000106")


def written(folder: Path, *rows: str, header: str = "name,start,end,areas,class") -> Path:
    file = folder / "labels.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


# Labels


def test_labels_are_read_by_code_by_name_and_for_the_whole_place(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "spike,2018-02-01,2018-02-09,Thanet; E07000106,nitazene",
        "everywhere,2018-01-01,2018-01-31,,",
        "a part of Thanet,2018-03-01,2018-03-01,E01024680,any",
    )
    first, second, third = read_labels(file, load_kent_and_medway())
    assert (first.name, first.areas, first.substance_class) == ("everywhere", (ROOT,), SubstanceClass.ANY)
    assert (second.areas, second.substance_class) == ((CANTERBURY, THANET), SubstanceClass.NITAZENE)
    assert len(third.areas) == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",2018-01-01,2018-01-02,,", "line 2: the label has no name"),
        ("a,yesterday,2018-01-02,,", "line 2: start must be a day"),
        ("a,2018-01-03,2018-01-02,,", "line 2: end is before start"),
        ("a,2018-01-01,2018-01-02,Atlantis,", "'Atlantis' is neither the code nor the name"),
        ("a,2018-01-01,2018-01-02,,tea", "class must be empty or one of"),
        ("a,2018-01-01", "line 2: end must be a day"),
    ],
)
def test_a_label_that_does_not_say_what_it_must_is_refused_with_its_place(
    tmp_path: Path, row: str, told: str
) -> None:
    with pytest.raises(LabelsError, match=re.escape(told)):
        read_labels(written(tmp_path, row), load_kent_and_medway())


def test_labels_of_one_name_and_files_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    twice = written(tmp_path, "a,2018-01-01,2018-01-02,,", "a,2019-01-01,2019-01-02,,")
    with pytest.raises(LabelsError, match="two labels called 'a'"):
        read_labels(twice, load_kent_and_medway())
    with pytest.raises(LabelsError, match="no column 'start'"):
        read_labels(written(tmp_path, header="name,from,to"), load_kent_and_medway())
    with pytest.raises(LabelsError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", load_kent_and_medway())
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"name,start,end,areas\n\xff\xfe,,,\n")
    with pytest.raises(LabelsError, match="not a CSV file in UTF-8"):
        read_labels(binary, load_kent_and_medway())


# Budgets


def _played(seed: int) -> Played:
    rng = np.random.default_rng(seed)
    scores = np.sort(2 + rng.exponential(0.7, size=400))[::-1]
    steps = Steps(scores, np.sort(scores[:300] - 0.2)[::-1])
    return Played(10.0, {AREA_COUNTS: Tally(steps, steps)})


@pytest.mark.parametrize("pages", [0.5, 2.0, 4.0, 12.0, 400.0])
def test_a_budget_gives_the_thresholds_that_calibration_would_have_learnt_for_it(pages: float) -> None:
    played = [_played(seed) for seed in range(3)]
    usual = learn(played)
    stated = uncalibrated(KENT)
    learnt = stated.model_copy(update={"counts": usual})
    wanted = learn(played, budget=Budget(pages_per_year=pages)).families[AREA_COUNTS].scores
    found = at_budget(learnt, pages).scores[AREA_COUNTS]
    assert found[Tier.PAGE] == wanted[Tier.PAGE]
    assert found[Tier.REVIEW] == wanted[Tier.REVIEW]


def test_a_larger_budget_never_pages_less() -> None:
    learnt = learnt_for(KENT, None)
    budgets = [at_budget(learnt, pages) for pages in (1, 2, 4, 8, 16)]
    for name in learnt.counts.families:
        scores = [one.scores[name][Tier.PAGE] for one in budgets if Tier.PAGE in one.scores[name]]
        assert scores == sorted(scores, reverse=True)


def test_a_budget_of_no_pages_pages_nothing_and_still_asks_for_reviews() -> None:
    found = at_budget(learnt_for(KENT, None), 0.0)
    assert all(Tier.PAGE not in scores for scores in found.scores.values())
    assert Tier.REVIEW in found.scores[AREA_COUNTS]


def test_what_was_only_stated_pages_at_no_budget_and_everything_is_told_at_the_lowest_score() -> None:
    curve = RateCurve(scores=(2.0, 5.0), episodes_per_year=(50.0, 0.5), tail_rate=2.0)
    thresholds = Thresholds(
        model_version="test",
        families={
            AREA_COUNTS: FamilyThresholds(scores={Tier.PAGE: 4.0}, curve=curve, page_curve=curve),
            "novelty": FamilyThresholds(scores={Tier.REVIEW: 6.0}),
            "multivariate": FamilyThresholds(scores={Tier.RECORD: 1.0}),
        },
    )
    learnt = uncalibrated(KENT).model_copy(update={"counts": thresholds})
    budgets = [at_budget(learnt, pages) for pages in (2.0, 8.0)]
    assert budgets[0].tier("novelty", 99.0, Tier.PAGE) is Tier.REVIEW
    assert budgets[0].tier("nobody", 99.0, Tier.PAGE) is None
    loose = everything(thresholds, budgets)
    assert "multivariate" not in loose.families, "what asks nothing of anybody is not played"
    for name in (AREA_COUNTS, "novelty"):
        lowest = min(score for one in budgets for score in one.scores[name].values())
        assert loose.families[name].scores == {Tier.PAGE: lowest}


# Scoring


def finding(day: int, **changes: object) -> Finding:
    content: dict[str, Any] = {
        "day": date(2018, 1, 1 + day),
        "detector": "area_counts",
        "family": AREA_COUNTS,
        "key": f"k{day}",
        "feeds": (Feed.AMBULANCE_NALOXONE,),
        "areas": (AreaCode(THANET),),
        "days": (date(2018, 1, 1 + day), date(2018, 1, 1 + day)),
        "substance_class": SubstanceClass.ANY,
        "observed": 5,
        "expected": 0.5,
        "score": 5.0,
        "allowed": Tier.PAGE,
        "sentence": "Five.",
    }
    return Finding(**(content | changes))


LABEL = Label("spike", date(2018, 1, 4), date(2018, 1, 8), (AreaCode(THANET),), SubstanceClass.NITAZENE)
AT_FOUR = AtBudget(4.0, {AREA_COUNTS: {Tier.PAGE: 4.0, Tier.REVIEW: 3.0}})


def test_alarms_of_one_wave_are_one_page_and_alarms_far_apart_are_two() -> None:
    findings = [finding(0), finding(5), finding(10), finding(29)]
    found = scored(findings, AT_FOUR, Tier.PAGE, [], ROOT)
    assert [one.day for one in found.episodes] == [date(2018, 1, 1), date(2018, 1, 30)]
    elsewhere = finding(5, areas=(CANTERBURY,))
    assert len(scored([*findings, elsewhere], AT_FOUR, Tier.PAGE, [], ROOT).episodes) == 3
    everywhere = finding(19, areas=(ROOT,))
    assert len(scored([*findings, elsewhere, everywhere], AT_FOUR, Tier.PAGE, [], ROOT).episodes) == 1


def test_an_incident_that_ran_into_an_outbreak_was_no_page_about_it() -> None:
    label = Label("later", date(2018, 1, 10), date(2018, 1, 12), (AreaCode(THANET),), SubstanceClass.ANY)
    found = scored([finding(0), finding(10)], AT_FOUR, Tier.PAGE, [label], ROOT)
    (episode,) = found.episodes
    assert (episode.labels, episode.later_labels) == ((), ("later",))
    assert found.unlabelled == (episode,)
    assert found.detections[0].delay_days == 1


def test_the_first_page_about_a_label_tells_its_delay() -> None:
    about = [finding(2), finding(5, score=3.5), finding(6, score=4.5), finding(7)]
    pages = scored(about, AT_FOUR, Tier.PAGE, [LABEL], ROOT)
    assert (pages.detections[0].found, pages.detections[0].delay_days) == (date(2018, 1, 7), 3)
    reviews = scored(about, AT_FOUR, Tier.REVIEW, [LABEL], ROOT)
    assert reviews.detections[0].delay_days == 2
    assert scored(about[1:], AT_FOUR, Tier.PAGE, [LABEL], ROOT).unlabelled == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"areas": (CANTERBURY,)},
        {"substance_class": SubstanceClass.STIMULANT},
        {"days": (date(2018, 1, 9), date(2018, 1, 9))},
        {"score": 3.9},
        {"allowed": Tier.REVIEW},
    ],
)
def test_what_shares_no_place_class_or_day_or_does_not_page_finds_no_label(changes: dict[str, Any]) -> None:
    found = scored(
        [finding(8, days=(date(2018, 1, 8), date(2018, 1, 9))), finding(8, **changes)],
        AT_FOUR,
        Tier.PAGE,
        [LABEL],
        ROOT,
    )
    assert found.detections[0].found is not None
    alone = scored([finding(8, **changes)], AT_FOUR, Tier.PAGE, [LABEL], ROOT)
    assert alone.detections[0].found is None
    assert all(not one.labels for one in alone.episodes)


def test_a_tripwires_tier_does_not_move_with_the_budget() -> None:
    tripwire = finding(4, family="tripwire_scene", detector="tripwire_scene", score=None)
    tight = AtBudget(0.1, {AREA_COUNTS: {Tier.PAGE: 99.0, Tier.REVIEW: 98.0}})
    found = scored([tripwire, finding(4)], tight, Tier.PAGE, [LABEL], ROOT)
    assert [one.findings for one in found.episodes] == [(tripwire,)]
    assert found.detections[0].by == "tripwire_scene"


@given(st.permutations(range(6)))
def test_the_order_in_which_findings_are_handed_in_does_not_matter(order: list[int]) -> None:
    findings = [
        finding(0),
        finding(9, areas=(ROOT,)),
        finding(3, areas=(CANTERBURY,)),
        finding(28),
        finding(9, key="other", score=7.0),
        finding(2, substance_class=SubstanceClass.OPIATE),
    ]
    assert scored([findings[i] for i in order], AT_FOUR, Tier.PAGE, [LABEL], ROOT) == scored(
        findings, AT_FOUR, Tier.PAGE, [LABEL], ROOT
    )


# The command


@pytest.mark.usefixtures("seeded_folder")
def test_the_services_own_records_are_judged_with_the_thresholds_in_force(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    labels = written(tmp_path, "Thanet,2018-01-19,2018-01-22,Thanet,", "later,2019-01-01,2019-01-02,,")
    out = tmp_path / "report.html"
    done = tocsin(
        *("backtest", "--database", "--budgets", "4,2", "--labels", labels, "--out", out),
        *("--from", "2018-01-15", "--to", "2018-01-22"),
    )
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["classification"] == "internal"
    assert content["period"] == {"first": "2018-01-15", "last": "2018-01-22", "days": 8, "years": 0.0219}
    assert [one["pages_per_year"] for one in content["budgets"]] == [2.0, 4.0]
    assert content["thresholds"]["seed"] == learnt_for(KENT, None).counts.seed
    (label,) = content["labels"]
    assert [one["found"] for one in label["pages"]] == ["2018-01-20", "2018-01-20"]
    assert content["labels_outside"] == ["later"]
    assert any("tripwire_scene" in one["families"] for one in content["pages"])
    # It was seen by one feed alone: without it nothing is found, and without the other nothing is lost.
    lost = {one["feed"]: one["only_with_it"] for one in content["leave_one_out"]}
    assert lost == {"ambulance-naloxone": ["Thanet"], "ed-presentations": []}
    page = out.read_text(encoding="utf-8")
    assert "1 of 1 labelled outbreaks found" in page
    assert "Outside the period, and not judged: later." in page
    assert done.stdout.startswith("INTERNAL")


@pytest.mark.usefixtures("seeded_folder")
def test_feeds_are_left_out_only_if_asked_for(tocsin: Tocsin, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    done = tocsin(
        *("backtest", "--database", "--no-leave-one-out", "--from", "2018-01-19", "--to", "2018-01-21"),
        *("--out", out),
    )
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["leave_one_out"] == []
    assert "asked not to leave feeds out" in out.read_text(encoding="utf-8")


def test_a_database_without_live_records_says_what_to_do(tocsin: Tocsin, tmp_path: Path) -> None:
    told = said(tocsin("backtest", "--database", "--out", tmp_path / "r.html"))
    assert "No record of Kent and Medway ever arrived live" in told


@pytest.mark.usefixtures("seeded_folder")
def test_too_little_to_learn_from_is_said(tocsin: Tocsin, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    done = tocsin(*("backtest", "--database", "--from", "2018-01-02", "--calibration-years", 2, "--out", out))
    assert "too few to learn thresholds from" in said(done)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Give FILES or --database"),
        (("--database", "--mapping", __file__), "leave out what FILES need"),
        ((__file__,), "FILES need --mapping and --geography"),
        (("--database", "--budgets", "four"), "numbers with commas"),
        (("--database", "--budgets", "4,0"), "each must be 0.05 pages a year or more"),
        (("--database", "--from", "2018-01-02", "--to", "2018-01-01"), "--to must not be before --from"),
        (("--database", "--out", "report.json"), "--out names the page"),
        (("--database", "--labels", "none.csv"), "none.csv"),
    ],
)
def test_a_wrong_use_is_refused(tocsin: Tocsin, arguments: tuple[object, ...], told: str) -> None:
    done = tocsin("backtest", *arguments)
    assert done.exit_code == 2
    assert told in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--out", "no/such/folder/r.html"), "no folder"),
        (("--jurisdiction", "nowhere"), "not a jurisdiction"),
        (("--from", "2030-01-01"), "would begin on 2030-01-01, after its end"),
    ],
)
@pytest.mark.usefixtures("seeded_folder")
def test_a_mistake_is_told_in_one_sentence(tocsin: Tocsin, arguments: tuple[object, ...], told: str) -> None:
    assert told in said(tocsin("backtest", "--database", *arguments))
