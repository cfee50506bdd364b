"""A file put into the folder is read when it is complete, accounted for in a receipt, and never lost by a crash."""

import gzip
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT
from schemas.geography import Geography
from schemas.substances import default_taxonomy
from schemas.vocabulary import Delivery, Jurisdiction
from streams.connectors.drop_folder import KEEP, SETTLE, DropFolder
from streams.connectors.mapping import MappingError, mapping_from
from streams.log.port import LogRecord
from streams.quarantine import QuarantineItem
from tocsin.drop_folders import AFTER_FAILURE, DropFolderJob

NOON = datetime(2024, 3, 8, 12, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "name": "coast-deaths",
    "feed": "suspected-deaths",
    "jurisdiction": "coast",
    "source": {"organisation": "coroner"},
    "event_id": {"column": "Ref"},
    "occurred_at": {"columns": ["Date"], "formats": ["%d/%m/%Y"]},
    "filter": [{"column": "Kind", "not_in": ["other"]}],
}
GOOD = "Ref,Date,Kind\nA1,07/03/2024,\nA2,07/03/2024,other\n943 476 5919,07/03/2024,\nA4,soon,\n"


class Service:
    """A log and a quarantine in memory, and the folder that fills them."""

    def __init__(self, path: Path, coast: Geography) -> None:
        self.path = path
        self.coast = coast
        self.log: list[LogRecord] = []
        self.quarantine: list[QuarantineItem] = []
        self.crash_after: int | None = None

    def append(self, records: Sequence[LogRecord]) -> None:
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise OSError("the machine went down")
            self.crash_after -= 1
        self.log += records

    def put(self, items: Sequence[QuarantineItem], now: datetime) -> None:
        self.quarantine += items

    def folder(self, changes: dict[str, Any] | None = None, **options: Any) -> DropFolder:  # noqa: ANN401 (of many kinds)
        return DropFolder(
            self.path,
            mapping=mapping_from(MAPPING | (changes or {})),
            geography=self.coast,
            taxonomy=default_taxonomy(),
            append=self.append,
            quarantine=self.put,
            **options,
        )


@pytest.fixture
def service(tmp_path: Path, coast: Geography) -> Service:
    return Service(tmp_path, coast)


def drop(service: Service, text: str = GOOD, name: str = "march.csv") -> Path:
    path = service.path / name
    path.write_text(text, encoding="utf-8")
    written = (NOON - timedelta(minutes=5)).timestamp()
    os.utime(path, (written, written))
    return path


def test_a_complete_file_is_logged_quarantined_receipted_and_moved(service: Service) -> None:
    folder = service.folder(delivery=Delivery.BACKFILL)
    drop(service)
    assert folder.scan(NOON) == ()
    (receipt,) = folder.scan(NOON + SETTLE)

    (record,) = service.log
    event = EVENT.validate_json(record.body)
    assert (event.event_id, event.received_at) == ("A1", NOON + SETTLE)
    assert (record.origin, record.delivery) == ("folder:coast-deaths", Delivery.BACKFILL)
    assert [item.reason_code for item in service.quarantine] == ["identifier", "bad_date"]
    assert json.loads(service.quarantine[1].body or "")["event_id"] == "A4"

    assert receipt.error is None
    assert receipt.moved_to == service.path / "done" / "march.csv"
    assert receipt.moved_to.read_text(encoding="utf-8") == GOOD
    words = (service.path / "done" / "march.csv.receipt.txt").read_text(encoding="utf-8")
    assert "Rows accepted: 1\n" in words
    assert "filter: 1\n" in words
    assert "Rows quarantined: 2\n" in words
    assert "row 5: The column 'Date' holds no date" in words
    assert "943" not in words
    assert folder.scan(NOON + 2 * SETTLE) == ()


def test_nothing_of_the_files_name_or_of_unnamed_cells_is_stored(service: Service) -> None:
    folder = service.folder()
    drop(service, "Ref,Date,Kind,Name\nA1,soon,,Mrs Jones\nA1\n", "Mrs Jones.csv")
    folder.scan(NOON)
    folder.scan(NOON + SETTLE)
    assert len(service.quarantine) == 2
    assert "Jones" not in repr(service.quarantine)
    assert service.quarantine[0].place.startswith("row 2 of file ")


def test_a_file_that_still_grows_is_left_until_it_stops(service: Service) -> None:
    folder = service.folder()
    path = drop(service)
    folder.scan(NOON)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("A5,08/03/2024,\n")
    assert folder.scan(NOON + SETTLE) == ()
    assert len(folder.scan(NOON + 2 * SETTLE)) == 1
    assert len(service.log) == 2


@pytest.mark.parametrize("name", ["march.csv.part", ".march.csv", "march.tmp"])
def test_a_file_that_says_it_is_unfinished_is_left_alone(service: Service, name: str) -> None:
    folder = service.folder()
    path = drop(service, name=name)
    folder.scan(NOON)
    assert folder.scan(NOON + 10 * SETTLE) == ()
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("march.csv", "Ref,Datum,Kind\nA1,07/03/2024,\n", "has no column 'Date'"),
        ("march.xlsx", "PK", "save it as CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_moved_to_failed_with_one_sentence(
    service: Service, name: str, text: str, words: str
) -> None:
    folder = service.folder()
    drop(service, text, name)
    folder.scan(NOON)
    (receipt,) = folder.scan(NOON + SETTLE)
    assert receipt.moved_to == service.path / "failed" / name
    assert words in (service.path / "failed" / f"{name}.receipt.txt").read_text(encoding="utf-8")
    assert service.log == []


def test_after_a_crash_the_whole_file_is_read_again_with_the_same_identities(service: Service) -> None:
    rows = "".join(f"A{n},07/03/2024,\n" for n in range(1200)) + "A1\n"
    path = drop(service, "Ref,Date,Kind\n" + rows)
    service.crash_after = 1
    folder = service.folder()
    folder.scan(NOON)
    with pytest.raises(OSError, match="went down"):
        folder.scan(NOON + SETTLE)
    assert path.exists()
    assert len(service.log) == 500

    service.crash_after = None
    again = service.folder()
    again.scan(NOON + timedelta(hours=1))
    (receipt,) = again.scan(NOON + timedelta(hours=2))
    assert receipt.accepted == 1200
    ids = [EVENT.validate_json(record.body).event_id for record in service.log]
    assert len(ids) == 1700
    assert len(set(ids)) == 1200


def test_a_row_quarantined_twice_is_known_as_the_same(service: Service) -> None:
    drop(service, "Ref,Date,Kind\nA1\nA2,soon,\n943 476 5919,07/03/2024,\nA3,07/03/2024,\n")
    service.crash_after = 0
    for hours in (0, 24):
        folder = service.folder()
        folder.scan(NOON + timedelta(hours=hours))
        with pytest.raises(OSError, match="went down"):
            folder.scan(NOON + timedelta(hours=hours + 1))
    assert len(service.quarantine) == 6
    assert len({item.fingerprint for item in service.quarantine}) == 3


def test_a_file_of_the_same_name_does_not_replace_the_first(service: Service) -> None:
    folder = service.folder()
    for hours in (0, 1):
        drop(service)
        folder.scan(NOON + timedelta(hours=hours))
        folder.scan(NOON + timedelta(hours=hours) + SETTLE)
    kept = sorted(path.name for path in (service.path / "done").iterdir())
    assert kept == ["2-march.csv", "2-march.csv.receipt.txt", "march.csv", "march.csv.receipt.txt"]


def test_their_file_is_deleted_after_a_week_and_the_receipt_stays(service: Service) -> None:
    folder = service.folder()
    drop(service)
    folder.scan(NOON)
    folder.scan(NOON + SETTLE)
    folder.scan(NOON + KEEP)
    assert (service.path / "done" / "march.csv").exists()
    folder.scan(NOON + KEEP + 2 * SETTLE)
    assert not (service.path / "done" / "march.csv").exists()
    assert (service.path / "done" / "march.csv.receipt.txt").exists()


def test_a_row_of_a_jurisdiction_that_the_folder_does_not_serve_is_quarantined_under_its_own(
    service: Service,
) -> None:
    changes = {"jurisdiction": {"column": "LDIS"}}
    with pytest.raises(MappingError, match="say which ones"):
        service.folder(changes)
    folder = service.folder(changes, jurisdictions=frozenset({Jurisdiction("coast"), Jurisdiction("downs")}))
    drop(service, "Ref,Date,Kind,LDIS\nA1,07/03/2024,,Downs\nA2,07/03/2024,,Marsh\n")
    folder.scan(NOON)
    folder.scan(NOON + SETTLE)
    assert [record.jurisdiction for record in service.log] == ["downs"]
    (item,) = service.quarantine
    assert (item.jurisdiction, item.reason_code, item.body_complete) == ("coast", "wrong_jurisdiction", True)


@pytest.mark.parametrize("name", [b"a" * 246 + b".csv", b"caf\xe9.csv", b"two\nlines.csv"])
def test_a_file_is_taken_whatever_its_name(service: Service, name: bytes) -> None:
    path = service.path / os.fsdecode(name)
    path.write_text(GOOD, encoding="utf-8")
    folder = service.folder()
    folder.scan(NOON)
    (receipt,) = folder.scan(NOON + SETTLE)
    assert receipt.accepted == 1
    assert receipt.moved_to.exists()
    assert not path.exists()


def test_a_file_that_belongs_to_somebody_else_is_taken_and_kept_for_its_week(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.utime

    def utime(path: Path, times: tuple[float, float]) -> None:
        if not str(path).endswith(".receipt.txt"):
            raise PermissionError(1, "Operation not permitted")
        ours(path, times)

    drop(service)
    ours(service.path / "march.csv", (0, 0))
    monkeypatch.setattr(os, "utime", utime)
    folder = service.folder()
    folder.scan(NOON)
    folder.scan(NOON + SETTLE)
    folder.scan(NOON + KEEP)
    assert (service.path / "done" / "march.csv").exists()
    folder.scan(NOON + KEEP + 2 * SETTLE)
    assert not (service.path / "done" / "march.csv").exists()


def test_a_file_that_is_called_a_receipt_is_deleted_after_a_week_like_any_other(service: Service) -> None:
    (service.path / "march.receipt.txt").write_text(GOOD, encoding="utf-8")
    folder = service.folder()
    folder.scan(NOON)
    (receipt,) = folder.scan(NOON + SETTLE)
    assert receipt.moved_to.read_text(encoding="utf-8") == GOOD
    folder.scan(NOON + KEEP + 2 * SETTLE)
    assert not receipt.moved_to.exists()


def test_a_damaged_archive_is_put_aside_with_a_receipt(service: Service) -> None:
    packed = gzip.compress(b"Ref,Date,Kind\n" + b"".join(b"A%d,07/03/2024,\n" % n for n in range(5000)))
    (service.path / "march.csv.gz").write_bytes(packed[:50] + bytes(50) + packed[100:])
    folder = service.folder()
    folder.scan(NOON)
    (receipt,) = folder.scan(NOON + SETTLE)
    assert receipt.error is not None
    assert receipt.moved_to.parent.name == "failed"


def test_a_file_that_cannot_be_moved_does_not_hold_up_the_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.name == "april.csv":
            raise PermissionError(13, "Permission denied")
        return theirs(self, target)

    for name in ("april.csv", "march.csv"):
        (service.path / name).write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr(Path, "replace", replace)
    folder = service.folder()
    folder.scan(NOON)
    with pytest.raises(PermissionError):
        folder.scan(NOON + SETTLE)
    assert (service.path / "done" / "march.csv").exists()


def test_a_folder_that_cannot_be_used_is_left_for_a_while_and_the_others_are_looked_into(
    service: Service,
) -> None:
    broken = service.path / "broken"
    broken.mkdir()
    (broken / "done").write_text("in the way", encoding="utf-8")
    good = service.path / "good"
    good.mkdir()
    (good / "march.csv").write_text(GOOD, encoding="utf-8")
    folders = [Service(path, service.coast) for path in (broken, good)]
    job = DropFolderJob([one.folder() for one in folders], NOON)
    for moment in (NOON, NOON + SETTLE):
        job.run(moment)
    assert len(folders[1].log) == 1
    (broken / "done").unlink()
    (broken / "march.csv").write_text(GOOD, encoding="utf-8")
    for moment in (NOON + AFTER_FAILURE, NOON + AFTER_FAILURE + SETTLE):
        job.run(moment)
    assert len(folders[0].log) == 1
