"""The job that looks into drop folders: how a partner's CSV file reaches the running service."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from schemas.database import Database
from schemas.substances import Taxonomy
from schemas.vocabulary import Delivery, Jurisdiction
from streams import quarantine
from streams.connectors.drop_folder import DropFolder
from streams.connectors.mapping import load_mapping
from streams.log.port import EventLog
from streams.profile import JurisdictionProfile
from streams.quarantine import QuarantineItem
from tocsin.settings import DropFolderSettings

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=5)
AFTER_FAILURE = timedelta(minutes=5)
"""A folder or file that the system will not let us read or move is for a person to mend; everything else goes on."""


class DropFolderJob:
    """Looks into every folder every five seconds; a file is taken in once it has stopped changing."""

    name = "drop-folders"

    def __init__(self, folders: Sequence[DropFolder], started_at: datetime) -> None:
        self._folders = folders
        self._next = started_at
        self._not_before: dict[int, datetime] = {}

    def next_due(self, now: datetime) -> datetime | None:  # noqa: ARG002 (a job's signature)
        """Return when the folders are looked into next; never, while there are none."""
        return self._next if self._folders else None

    def run(self, now: datetime) -> None:
        """Take in what is complete."""
        self._next = now + EVERY
        for number, folder in enumerate(self._folders, 1):
            if self._not_before.get(number, now) > now:
                continue
            try:
                receipts = folder.scan(now)
            except OSError:
                self._not_before[number] = now + AFTER_FAILURE
                log.exception("drop_folder.stuck", number=number)
                continue
            for receipt in receipts:
                if receipt.error is not None:
                    log.error("drop_folder.file_failed", accepted=receipt.accepted)
                else:
                    log.info(
                        "drop_folder.file_taken", accepted=receipt.accepted, quarantined=len(receipt.refused)
                    )


def folders_of(
    settings: Sequence[DropFolderSettings],
    profiles: Mapping[Jurisdiction, JurisdictionProfile],
    taxonomy: Taxonomy,
    database: Database,
    event_log: EventLog,
) -> list[DropFolder]:
    """Return the folders that the settings name, ready to be looked into; make those that are not there."""
    folders = []
    for one in settings:
        one.path.mkdir(parents=True, exist_ok=True)
        folders.append(
            DropFolder(
                one.path,
                mapping=load_mapping(one.mapping),
                geography=profiles[one.jurisdiction].geography,
                taxonomy=taxonomy,
                append=event_log.append,
                quarantine=_quarantine_into(database),
                tables=(Path(one.mapping).parent,),
                jurisdictions=frozenset({one.jurisdiction}),
                delivery=Delivery.BACKFILL if one.backfill else Delivery.LIVE,
            )
        )
    return folders


def _quarantine_into(database: Database) -> Callable[[Sequence[QuarantineItem], datetime], None]:
    def store(items: Sequence[QuarantineItem], now: datetime) -> None:
        with database.write() as connection:
            quarantine.put(connection, items, now)

    return store
