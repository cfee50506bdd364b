"""Starting long work: what is wrong is said before it begins, and the options reach what does it."""

import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from .conftest import Tocsin, said


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the service, the demo and the replay, and remembers how each was called."""
    calls: dict[str, Any] = {}

    class NeverError(Exception):
        pass

    def service(settings: object) -> int:
        calls["run"] = settings
        return 1

    def demo(**options: object) -> None:
        calls["demo"] = options

    def replay(files: object, **options: object) -> None:
        calls["replay"] = (files, options)

    for name, module in {
        "tocsin.service": SimpleNamespace(run=service, AlreadyRunningError=NeverError),
        "tocsin.demo": SimpleNamespace(main=demo),
        "tocsin.replay": SimpleNamespace(main=replay, ReplayError=NeverError),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_run_ends_with_the_status_of_the_service(tocsin: Tocsin, instead: dict[str, Any]) -> None:
    assert tocsin("run").exit_code == 1
    assert "run" in instead


def test_run_does_not_start_with_a_geography_that_cannot_be_read(
    tocsin: Tocsin, folder: Path, instead: dict[str, Any]
) -> None:
    with (folder / "tocsin.toml").open("a", encoding="utf-8") as file:
        file.write('\n[jurisdictions.elsewhere]\nname = "Elsewhere"\ngeography = { table = "gone.csv" }\n')
    done = tocsin("run")
    assert done.exit_code == 2
    assert "jurisdictions.elsewhere.geography" in said(done)
    assert instead == {}


def test_run_warns_of_a_contact_that_was_not_filled_in_and_goes_on(
    tocsin: Tocsin, folder: Path, instead: dict[str, Any]
) -> None:
    settings = folder / "tocsin.toml"
    text = settings.read_text(encoding="utf-8").replace("Robin Okoro", "FILL IN: name")
    settings.write_text(text, encoding="utf-8")
    assert "Warning: alerts.fallback.name" in tocsin("run").stderr
    assert "run" in instead


def test_the_demos_options_reach_it(tocsin: Tocsin, instead: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = tocsin("demo", "--no-serve", "--json", out, "--seed", 7, "--port", 0, "--directory", tmp_path)
    assert done.exit_code == 0, done.output
    assert instead["demo"] == {"serve": False, "json_file": out, "seed": 7, "port": 0, "directory": tmp_path}


def test_a_result_without_a_folder_is_refused_before_the_work(
    tocsin: Tocsin, instead: dict[str, Any], tmp_path: Path
) -> None:
    assert "There is no folder" in said(tocsin("demo", "--json", tmp_path / "gone" / "out.json"))
    assert instead == {}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("records.csv", "map.toml", "areas.csv")}
    for path in made.values():
        path.touch()
    return made


def test_the_replays_options_reach_it(
    tocsin: Tocsin, instead: dict[str, Any], files: dict[str, Path]
) -> None:
    done = tocsin(
        "replay", files["records.csv"], "--mapping", files["map.toml"], "--geography", files["areas.csv"],
        "--from", "2013-01-01", "--to", "2019-12-31", "--holiday-country", "US", "--holiday-subdivision", "CT",
        "--time-zone", "America/New_York", "--seed", 3,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    given, options = instead["replay"]
    assert given == (files["records.csv"],)
    assert options["first_day"] == date(2013, 1, 1)
    assert options["last_day"] == date(2019, 12, 31)
    assert (options["time_zone"], options["seed"]) == ("America/New_York", 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--time-zone", "Mars/Olympus"), "--time-zone is not a known time zone"),
        (("--holiday-country", "ZZ"), "--holiday-country: no bank holidays are known of ZZ"),
        (("--holiday-subdivision", "KENT"), "--holiday-subdivision: GB has no part KENT"),
        (("--from", "2019-01-02", "--to", "2019-01-01"), "--to must not be before --from"),
        (("--from", "the beginning"), "does not match the format"),
    ],
)
def test_an_option_of_replay_that_cannot_be_is_refused(
    tocsin: Tocsin,
    instead: dict[str, Any],
    files: dict[str, Path],
    options: tuple[str, ...],
    sentence: str,
) -> None:
    done = tocsin(
        "replay",
        files["records.csv"],
        "--mapping",
        files["map.toml"],
        "--geography",
        files["areas.csv"],
        *options,
    )
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert instead == {}
