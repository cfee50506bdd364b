"""A folder into which a partner's files are put: each is read by one mapping, logged, and moved away with a receipt.

The engine calls :meth:`DropFolder.scan` every few seconds. A file is taken

1. when its name neither begins with a full stop nor ends in ``.part`` or another mark of an unfinished file, and
2. when its size and its time have been the same at two scans at least ``settle`` apart.

A sender who writes under ``.part`` and renames when done is never read half-written. The rows go to the event log in
batches, those with a problem to quarantine; then the receipt is written and the file is moved to ``done``, or to
``failed`` when it could not be read. A crash anywhere before the move reads the file again from its start: intake
absorbs repeats by identity, quarantine by fingerprint.

It must never write a cell of the file anywhere but to the log and to quarantine, screened; nor the file's name into
the database, since somebody may have put a person's name there.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from schemas.events import as_json
from schemas.geography import Geography
from schemas.substances import Taxonomy
from schemas.vocabulary import Delivery, Jurisdiction
from streams.connectors.csv_files import MappedRow, read_events
from streams.connectors.json_bodies import Problem
from streams.connectors.mapping import FileMapping, MappingError
from streams.connectors.records import Stamp
from streams.log.port import LogRecord
from streams.quarantine import QuarantineItem

BATCH = 500
"""Rows for each append: the most that one transaction may hold, so that others get their turn."""

SETTLE = timedelta(seconds=10)
"""Longer than a pause of a slow upload, and short enough to be nothing beside the delay of a file."""

KEEP = timedelta(days=7)
"""A file in ``done`` or ``failed`` is still the partner's own, unscreened: it is deleted after a week."""

_MOST_SHOWN = 200
"""Reasons in a receipt; a file of another shape has one for every row."""

_ENDINGS = (".csv", ".csv.gz")
_RECEIPT = ".receipt.txt"
_LONGEST_NAME = 200
"""Bytes of a name, of the 255 that file systems take: a number, a receipt's ending and a full stop must fit as well."""
_UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload")

Append = Callable[[Sequence[LogRecord]], None]
Quarantine = Callable[[Sequence[QuarantineItem], datetime], None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one file."""

    file: str
    moved_to: Path
    accepted: int
    filtered: int
    refused: tuple[tuple[str, str], ...]
    """Each row in quarantine: where it stands, and why."""
    error: str | None
    """Why the file could not be read, or not to its end."""


class DropFolder:
    """One folder, one mapping.

    Parameters
    ----------
    path : Path
        The folder; ``done`` and ``failed`` are made inside it.
    mapping, geography, taxonomy, tables
        As for :func:`streams.connectors.csv_files.read_events`.
    append : callable
        The event log's ``append``.
    quarantine : callable
        Stores quarantined rows, given them and the time; it opens its own transaction.
    jurisdictions : frozenset of Jurisdiction, optional
        Those whose rows this folder may bring; a row of another is quarantined. Unless given: the constant of the
        mapping; a mapping that takes it from a column needs this.
    delivery : Delivery
        ``backfill`` for a folder of history, which never pages.
    settle, keep : timedelta
        How long a file must stay the same before it is read, and how long it is kept afterwards.
    """

    def __init__(  # noqa: PLR0913 (made once, by the wiring, by name)
        self,
        path: Path,
        *,
        mapping: FileMapping,
        geography: Geography,
        taxonomy: Taxonomy,
        append: Append,
        quarantine: Quarantine,
        tables: tuple[Path, ...] = (),
        jurisdictions: frozenset[Jurisdiction] | None = None,
        delivery: Delivery = Delivery.LIVE,
        settle: timedelta = SETTLE,
        keep: timedelta = KEEP,
    ) -> None:
        self._path = path
        self.mapping = mapping
        self.geography = geography
        self.taxonomy = taxonomy
        self.append = append
        self.quarantine = quarantine
        self.tables = tables
        self.delivery = delivery
        self._jurisdictions = _served(mapping, jurisdictions)
        self._settle = settle
        self._keep = keep
        self._seen: dict[str, tuple[tuple[int, int], datetime]] = {}

    def jurisdiction_of(self, row: MappedRow) -> Jurisdiction:
        """Return the jurisdiction that a row names, if this folder serves it, or else the first that it serves."""
        named = row.event.jurisdiction if row.event is not None else (row.content or {}).get("jurisdiction")
        return Jurisdiction(named) if named in self._jurisdictions else min(self._jurisdictions)

    def scan(self, now: datetime) -> tuple[Receipt, ...]:
        """Take in every file that is complete, and delete those kept long enough.

        Raises
        ------
        OSError
            If the folder itself cannot be read or written.
        """
        for name in ("done", "failed"):
            (self._path / name).mkdir(parents=True, exist_ok=True)
        receipts: list[Receipt] = []
        failure: OSError | None = None
        for path in self._complete(now):
            try:
                receipts.append(self._take(path, now))
            except OSError as error:  # the files behind it must not wait for this one
                if path.exists():
                    failure = failure or error
        self._delete_old(now)
        if failure is not None:
            raise failure
        return tuple(receipts)

    def _complete(self, now: datetime) -> list[Path]:
        present: dict[str, tuple[tuple[int, int], datetime]] = {}
        ready = []
        for path in sorted(self._path.iterdir()):
            if path.name.startswith(".") or path.name.lower().endswith(_UNFINISHED) or not path.is_file():
                continue
            try:
                stat = path.stat()
            except FileNotFoundError:  # its sender took it back, or gave it its name, just now
                continue
            state = (stat.st_size, stat.st_mtime_ns)
            known = self._seen.get(path.name)
            since = known[1] if known is not None and known[0] == state else now
            present[path.name] = (state, since)
            if now - since >= self._settle and known is not None:
                ready.append(path)
        self._seen = present
        return ready

    def _take(self, path: Path, now: datetime) -> Receipt:
        intake = _FileIntake(self, path, now)
        error = None
        try:
            intake.run()
        except MappingError as failure:
            error = str(failure)
        target = _free(self._path / ("done" if error is None else "failed") / _storable_name(path.name))
        receipt = Receipt(path.name, target, intake.accepted, intake.filtered, tuple(intake.refused), error)
        written = _receipt_of(target)
        _write(written, _words(receipt, self.mapping.name, now))
        # Its time says when the file was dealt with, by the clock that we are given. The file itself may belong to
        # somebody else, whose time we may not change.
        os.utime(written, (now.timestamp(), now.timestamp()))
        path.replace(target)
        self._seen.pop(path.name, None)
        return receipt

    def _delete_old(self, now: datetime) -> None:
        for name in ("done", "failed"):
            for path in (self._path / name).iterdir():
                # Receipts hold nothing of the partner's and stay.
                if path.name.endswith(_RECEIPT) or not path.is_file():
                    continue
                receipt = _receipt_of(path)
                dealt_with = (receipt if receipt.exists() else path).stat().st_mtime
                if now.timestamp() - dealt_with > self._keep.total_seconds():
                    path.unlink()


def _served(mapping: FileMapping, given: frozenset[Jurisdiction] | None) -> frozenset[Jurisdiction]:
    if given:
        return given
    if isinstance(mapping.jurisdiction, str):
        return frozenset({Jurisdiction(mapping.jurisdiction)})
    raise MappingError(
        f"The mapping {mapping.name} takes the jurisdiction from a column: say which ones its folder may bring."
    )


class _FileIntake:
    """One reading of one file."""

    def __init__(self, folder: DropFolder, path: Path, now: datetime) -> None:
        self._folder = folder
        self._path = path
        self._now = now
        self.accepted = 0
        self.filtered = 0
        self.refused: list[tuple[str, str]] = []

    def run(self) -> None:
        """Read the file to its end, or raise :class:`MappingError`."""
        folder = self._folder
        if not self._path.name.lower().endswith(_ENDINGS):
            raise MappingError("Only .csv and .csv.gz files can be read; save it as CSV.")
        try:
            file = f"file {_digest(self._path)}"
            written_at = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except PermissionError:
            raise MappingError("Tocsin is not allowed to read the file; give it the right to.") from None
        rows = read_events(
            self._path, folder.mapping, folder.geography, folder.taxonomy, tables=folder.tables
        )
        try:
            while batch := list(islice(rows, BATCH)):
                self._store(batch, file, min(written_at, self._now))
        finally:
            self.filtered = rows.tally.filtered
            rows.close()

    def _store(self, batch: Sequence[MappedRow], file: str, written_at: datetime) -> None:
        logged: list[LogRecord] = []
        refused: list[QuarantineItem] = []
        for row in batch:
            outcome = self._outcome(row, f"{row.place} of {file}", written_at)
            if isinstance(outcome, LogRecord):
                logged.append(outcome)
            else:
                refused.append(outcome)
                self.refused.append((row.place, outcome.reason))
        # A crash between the two repeats the batch, and both absorb repeats.
        if refused:
            self._folder.quarantine(refused, self._now)
        if logged:
            self._folder.append(logged)
        self.accepted += len(logged)

    def _outcome(self, row: MappedRow, place: str, written_at: datetime) -> LogRecord | QuarantineItem:
        folder = self._folder
        stamp = Stamp(
            folder.mapping.feed,
            folder.jurisdiction_of(row),
            f"folder:{folder.mapping.name}"[:64],
            # What is kept of an unreadable row is only where it stood: the file's own time, which does not change when
            # the file is read again, is then what tells a repeat.
            written_at if row.event is None and row.content is None else self._now,
            folder.geography.areas,
            folder.delivery,
        )
        if row.event is None:
            problem = row.problem or Problem("malformed", "The row could not be read.")
            return stamp.quarantined(place, problem, row.content, complete=row.content_complete)
        if row.event.jurisdiction != stamp.jurisdiction:
            sentence = (
                "The row names a jurisdiction that this folder does not serve; put it into that one's folder."
            )
            content = row.event.model_dump(mode="json", exclude_none=True)
            return stamp.quarantined(place, Problem("wrong_jurisdiction", sentence), content, complete=True)
        return stamp.log_record(as_json(row.event.model_copy(update={"received_at": self._now})))


def _digest(path: Path) -> str:
    """Return 12 hexadecimal digits that tell this file from others, since its name must not be stored."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


def _storable_name(name: str) -> str:
    """Return a name that leaves room for what is put before and behind it, and that no receipt has."""
    if name.endswith(_RECEIPT):
        name += ".file"
    raw = os.fsencode(name)
    if len(raw) <= _LONGEST_NAME:
        return name
    return f"{os.fsdecode(raw[: _LONGEST_NAME - 13])}-{hashlib.sha256(raw).hexdigest()[:12]}"


def _receipt_of(target: Path) -> Path:
    return target.with_name(f"{target.name}{_RECEIPT}")


def _free(target: Path) -> Path:
    """Return ``target``, numbered if a file of that name was dealt with before."""
    stem = target.name
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{number}-{stem}")
    return target


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    # A file's name is any bytes; what is no text of it is spelt out.
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)


def _words(receipt: Receipt, mapping: str, now: datetime) -> str:
    lines = [
        f"File: {receipt.file}",
        f"Read by the mapping {mapping} at {now:%Y-%m-%d %H:%M:%S} UTC",
        f"Rows accepted: {receipt.accepted}",
        f"Rows left out by the mapping's filter: {receipt.filtered}",
        f"Rows quarantined: {len(receipt.refused)}",
    ]
    if receipt.error is not None:
        lines.insert(2, f"FAILED: {receipt.error}")
        lines.insert(
            3,
            "Mend it and put the file into the folder again; rows that were accepted are not counted twice.",
        )
    lines += [f"  {place}: {reason}" for place, reason in receipt.refused[:_MOST_SHOWN]]
    if len(receipt.refused) > _MOST_SHOWN:
        lines.append(f"  and {len(receipt.refused) - _MOST_SHOWN} more; all of them are in quarantine.")
    return "\n".join(lines) + "\n"
