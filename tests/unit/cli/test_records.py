"""Records from the command line: a file loaded, a refused record corrected, counts checked."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from schemas.geography import load_kent_and_medway
from schemas.substances import default_taxonomy
from schemas.tables.counts import count_cell
from schemas.tables.events import event_version, quarantine
from schemas.tables.log import event_log
from schemas.vocabulary import Delivery
from streams import jurisdictions
from streams.intake import Intake
from streams.log.embedded import EmbeddedLog
from streams.profile import JurisdictionProfile
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.metrics import Metrics

from .conftest import KENT, NOW, Tocsin, said

MAPPING = """
name = "calls"
feed = "ambulance-naloxone"
jurisdiction = "kent-and-medway"
source = { organisation = "secamb" }
event_id = { column = "id" }
occurred_at = { columns = ["when"], formats = ["%Y-%m-%d"] }
areas.event = { by = "code", columns = ["area"] }
[[filter]]
column = "kind"
equals = "naloxone"
"""
ROWS = """id,when,area,kind
a-1,2018-01-20,E07000114,naloxone
a-2,2018-01-20,E07000114,other
a-3,2018-01-21,E07000106,naloxone
a-4,2018-01-21,E07999999,naloxone
a-5,not a day,E07000106,naloxone
a-6,2018-01-21
a-7,2018-01-21,,naloxone
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A CSV file and its mapping."""
    (tmp_path / "calls.toml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "calls.csv").write_text(ROWS, encoding="utf-8")
    written_at = (NOW - timedelta(hours=1)).timestamp()
    os.utime(tmp_path / "calls.csv", (written_at, written_at))
    return tmp_path / "calls.csv", tmp_path / "calls.toml"


@pytest.fixture
def load(tocsin: Tocsin, files: tuple[Path, Path]) -> object:
    return lambda *more: tocsin("load", files[0], "--mapping", files[1], *more)


@pytest.fixture
def take_in(folder: Path, clock: VirtualClock) -> object:
    """Does what the service does with what is in the log."""

    def run() -> None:
        database = SqlDatabase(f"sqlite:///{folder / 'tocsin-data' / 'tocsin.sqlite'}")
        with database.write() as connection:
            jurisdictions.ensure(connection, [KENT])
        profiles = {KENT: JurisdictionProfile(KENT, "Kent and Medway", load_kent_and_medway())}
        intake = Intake(
            database,
            clock,
            profiles,
            default_taxonomy(),
            tripwires=lambda *_: (),
            on_signals=lambda *_: None,
            on_withdrawn=lambda *_: None,
            metrics=Metrics(),
        )
        EmbeddedLog(database).drain(intake.handle)
        database.close()

    return run


def test_loading_a_file_says_what_became_of_every_row(load: object, writing: object) -> None:
    done = load()  # type: ignore[operator]
    assert done.exit_code == 0, done.output
    assert "7 rows: 3 taken in, 1 filtered out by the mapping, 3 in quarantine." in done.stdout
    assert "1 name no known area and count for the whole of kent-and-medway." in done.stdout
    with writing() as connection:  # type: ignore[operator]
        rows = connection.execute(select(event_log.c.delivery, event_log.c.origin)).all()
    assert [tuple(row) for row in rows] == [("live", "file:calls")] * 3


def test_loading_it_again_stores_nothing_twice(
    load: object, take_in: object, clock: VirtualClock, writing: object
) -> None:
    for _ in range(2):
        load()  # type: ignore[operator]
        take_in()  # type: ignore[operator]
        clock.move_to(NOW + timedelta(hours=1))
    with writing() as connection:  # type: ignore[operator]
        versions = connection.execute(select(func.count()).select_from(event_version)).scalar_one()
        waiting = connection.execute(select(func.count()).select_from(quarantine)).scalar_one()
    assert (versions, waiting) == (3, 3)


def test_a_backfill_is_marked_as_such_so_that_it_never_pages(load: object, writing: object) -> None:
    assert load("--backfill").exit_code == 0  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        assert set(connection.execute(select(event_log.c.delivery)).scalars()) == {Delivery.BACKFILL.value}


def test_a_file_that_lacks_a_column_is_refused_whole(
    load: object, files: tuple[Path, Path], writing: object
) -> None:
    files[0].write_text(ROWS.replace("area", "place"), encoding="utf-8")
    assert "has no column 'area', which the mapping calls names" in said(load())  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        assert connection.execute(select(func.count()).select_from(event_log)).scalar_one() == 0


def test_a_mapping_with_a_slip_is_told_where(load: object, files: tuple[Path, Path]) -> None:
    files[1].write_text(MAPPING.replace("occurred_at", "occured_at"), encoding="utf-8")
    done = load()  # type: ignore[operator]
    assert done.exit_code == 2
    assert "occured_at is not a key of a mapping" in said(done)


def test_what_waits_in_quarantine_is_listed_with_its_reason(tocsin: Tocsin, load: object) -> None:
    assert tocsin("quarantine", "list").stdout == "No record waits for a decision.\n"
    load()  # type: ignore[operator]
    shown = tocsin("quarantine", "list").stdout
    assert "row 6" in shown
    assert "holds no date" in shown
    listed = json.loads(tocsin("quarantine", "list", "--json").stdout)
    assert listed["classification"] == "internal"
    assert listed["counts"] == {"waiting": 3}


@pytest.fixture
def refused(tocsin: Tocsin, load: object, take_in: object, writing: object) -> int:
    """The number of a record that waits because its area does not exist, and is otherwise whole."""
    tocsin("people", "add", "ada", "--name", "Ada Bell", "--role", "operator")
    tocsin("people", "add", "wyn", "--name", "Wyn Rees", "--role", "viewer")
    load()  # type: ignore[operator]
    take_in()  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        body = {
            "feed": "ambulance-naloxone",
            "event_id": "b-1",
            "jurisdiction": "kent-and-medway",
            "source": {"organisation": "secamb"},
            "occurred_at": "2018-01-21T10:00:00Z",
            "areas": {"event": "E07999999"},
        }
        made = connection.execute(
            quarantine.insert().values(
                quarantined_at=NOW,
                feed="ambulance-naloxone",
                jurisdiction=KENT,
                origin="key:1",
                place="record 1",
                fingerprint="f",
                reason_code="unknown_area",
                reason="areas.event is not an area code of the geography.",
                body=json.dumps(body),
                body_complete=True,
                received_at=NOW,
                delivery="live",
                state="waiting",
            )
        )
        return int(made.inserted_primary_key[0])


def test_a_refused_record_is_corrected_and_released_and_never_as_live(
    tocsin: Tocsin, refused: int, take_in: object, writing: object
) -> None:
    done = tocsin("quarantine", "release", refused, "--set", "areas.event=E07000114", "--as", "ada")
    assert done.exit_code == 0, done.output
    take_in()  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        row = connection.execute(
            select(event_version).where(event_version.c.delivery == Delivery.RELEASE.value)
        ).one()
    assert row.area == "E07000114"
    shown = tocsin("quarantine", "show", refused).stdout
    assert "released" in shown
    assert "ada" in shown
    assert "quarantine_released" in tocsin("audit", "list").stdout


def test_a_corrected_value_stays_text_where_text_is_wanted(
    tocsin: Tocsin, refused: int, take_in: object, writing: object
) -> None:
    changes = ("--set", "event_id=123", "--set", "areas.event=", "--set", 'suspected=["heroin"]')
    done = tocsin("quarantine", "release", refused, *changes, "--as", "ada")
    assert done.exit_code == 0, done.output
    take_in()  # type: ignore[operator]
    with writing() as connection:  # type: ignore[operator]
        row = connection.execute(select(event_version).where(event_version.c.delivery == "release")).one()
    assert (row.body["event_id"], row.classes) == ("123", "opiate")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("areas.event", "--set wants FIELD=VALUE"),
        ("suspected=[", "not valid JSON"),
        ("occurred_at=yesterday", "occurred_at must be a date and time with a time zone"),
        ("event_id=943 476 5919", "event_id"),
        ("colour=blue", "is not a field of this message"),
    ],
)
def test_a_correction_that_does_not_help_is_told_and_nothing_is_released(
    tocsin: Tocsin, refused: int, change: str, sentence: str
) -> None:
    done = tocsin("quarantine", "release", refused, "--set", change, "--as", "ada")
    assert sentence in said(done)
    assert "943 476 5919" not in done.output
    assert "waiting" in tocsin("quarantine", "show", refused).stdout


def test_only_who_may_decides_about_a_record(tocsin: Tocsin, refused: int) -> None:
    assert "wyn may not decide quarantine" in said(tocsin("quarantine", "release", refused, "--as", "wyn"))
    assert "There is no record 999" in said(tocsin("quarantine", "release", 999, "--as", "ada"))


def test_a_discarded_record_is_kept_with_who_and_why_and_cannot_be_released(
    tocsin: Tocsin, refused: int
) -> None:
    assert tocsin("quarantine", "discard", refused, "--as", "ada", "--note", "sent twice").exit_code == 0
    shown = tocsin("quarantine", "show", refused).stdout
    assert "sent twice" in shown
    assert "not waiting any more" in said(tocsin("quarantine", "release", refused, "--as", "ada"))


def test_counts_that_agree_and_counts_that_do_not(
    tocsin: Tocsin, load: object, take_in: object, writing: object
) -> None:
    load()  # type: ignore[operator]
    take_in()  # type: ignore[operator]
    assert tocsin("counts", "check").stdout == "The counts agree with the events.\n"
    with writing() as connection:  # type: ignore[operator]
        connection.execute(count_cell.update().where(count_cell.c.area == "E07000114").values(count=7))
    done = tocsin("counts", "check")
    assert "E07000114" in done.stdout
    assert "counts differ from the events" in said(done)
    assert tocsin("counts", "rebuild").exit_code == 0
    assert tocsin("counts", "check").exit_code == 0
