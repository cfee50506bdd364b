"""Loading a partner's CSV file: mapped, screened, then logged or quarantined, in batches that let others in between.

``tocsin load`` calls it, and a drop folder does the same with each file that arrives. Loading a file again is harmless:
intake knows what it has, and quarantine keeps a refused record once.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from schemas.database import Database
from schemas.events import as_content
from schemas.substances import Taxonomy
from schemas.vocabulary import Delivery
from streams import quarantine
from streams.connectors.csv_files import MappedRow, read_events
from streams.connectors.mapping import FileMapping
from streams.connectors.records import Stamp, take
from streams.log.port import EventLog, LogRecord
from streams.profile import JurisdictionProfile
from streams.quarantine import QuarantineItem

_BATCH = 500
"""Rows in one writing transaction at most: a person's acknowledgement must not wait for a file."""
_PAUSE_SECONDS = 0.005
"""A breath after each batch: on SQLite another process gets its turn only while nobody writes."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file."""

    rows: int
    filtered: int
    logged: int
    quarantined: int
    """Records that are in quarantine because of this file, whether or not they were there before."""
    not_placed: int
    """Of those logged: they name no area of the geography, and count for the whole jurisdiction."""


def load_file(  # noqa: PLR0913 (the parts of the house that a file passes)
    database: Database,
    event_log: EventLog,
    path: Path,
    mapping: FileMapping,
    profile: JurisdictionProfile,
    taxonomy: Taxonomy,
    *,
    received_at: datetime,
    delivery: Delivery = Delivery.LIVE,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Loaded:
    """Take in every row of a file.

    Parameters
    ----------
    profile : JurisdictionProfile
        Whose records they are; a row that names another jurisdiction goes to quarantine.
    received_at : datetime
        When the file came: from then on its records are known.
    on_rows : callable
        Told now and then how many rows were read.

    Raises
    ------
    streams.connectors.mapping.MappingError
        Before any row, if file, mapping and geography do not fit; later, if the file breaks off. What was read until
        then is kept.
    """
    stamp = Stamp(
        feed=mapping.feed,
        jurisdiction=profile.jurisdiction,
        origin=f"file:{mapping.name}"[:64],
        received_at=received_at,
        area_codes=profile.geography.areas,
        delivery=delivery,
    )
    # Of a row that cannot be read only its place is kept, so a time that stays the same must tell that it is a repeat.
    written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    unreadable = replace(stamp, received_at=min(written_at, received_at))
    file = _digest(path)
    rows = read_events(path, mapping, profile.geography, taxonomy, tables=(path.parent,))
    logged = quarantined = 0
    while batch := list(islice(rows, _BATCH)):
        taken = [
            _taken(row, unreadable if row.event is None and row.content is None else stamp, file)
            for row in batch
        ]
        records = [one for one in taken if isinstance(one, LogRecord)]
        refused = [one for one in taken if isinstance(one, QuarantineItem)]
        # Quarantine first: if the process dies in between, sending the file again repeats nothing and loses nothing.
        if refused:
            with database.write() as connection:
                quarantine.put(connection, refused, received_at)
        event_log.append(records)
        logged += len(records)
        quarantined += len(refused)
        on_rows(rows.tally.rows)
        time.sleep(_PAUSE_SECONDS)
    tally = rows.tally
    return Loaded(tally.rows, tally.filtered, logged, quarantined, tally.not_placed)


def _taken(row: MappedRow, stamp: Stamp, file: str) -> LogRecord | QuarantineItem:
    place = f"{row.place} of file {file}"
    if row.event is not None:
        return take(as_content(row.event), place, stamp)
    assert row.problem is not None  # noqa: S101 (a row has an event or a problem)
    return stamp.quarantined(place, row.problem, row.content, complete=row.content_complete)


def _digest(path: Path) -> str:
    """Return what tells this file from others; its name is not kept, since somebody may have put a name there."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
