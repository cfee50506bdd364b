"""Releasing and discarding quarantined records: what the console and the command line do alike.

A release goes the whole way again: the corrected record is screened, checked, appended to the event log as a release
(which never pages) and only then marked, so that a crash in between can repeat it but never lose it; intake absorbs the
repeat. Every decision is kept with the record and in the audit trail.
"""

import json
from collections.abc import Container, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row

from alerts import audit
from schemas.authorise import Principal
from schemas.clock import Clock
from schemas.database import Database
from schemas.events import Event, as_json, event_from, safe_errors
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams import quarantine
from streams.log.port import EventLog, LogRecord
from streams.profile import JurisdictionProfile
from streams.screening import describe, screen


class CannotRelease(ValueError):  # noqa: N818 (what the person who tried is told)
    """The record cannot go in as it is; the words say what is wrong and what to do, and repeat nothing."""


def release(
    database: Database,
    event_log: EventLog,
    clock: Clock,
    number: int,
    *,
    profiles: Mapping[Jurisdiction, JurisdictionProfile],
    corrections: Mapping[str, Any],
    by: Principal,
    note: str = "",
) -> None:
    """Send a waiting record, with ``corrections``, to intake.

    Parameters
    ----------
    profiles : mapping
        The jurisdictions served: screening knows the area codes of each.
    corrections : mapping
        Dotted names of fields to their new values; None removes a field.
    by : Principal
        Who decided; the caller has asked ``authorise``.

    Raises
    ------
    NotInQuarantine
        If there is no such waiting record.
    CannotRelease
        If the record, corrected, is still not one that can be taken in.
    """
    now = clock.now()
    with database.read() as connection:
        row = quarantine.get(connection, number)
    if row.state != "waiting":
        msg = f"Record {number} is not waiting any more: it was {row.state}."
        raise quarantine.NotInQuarantine(msg)
    profile = profiles.get(Jurisdiction(row.jurisdiction)) if row.jurisdiction else None
    event = _checked(row, corrections, profile.geography.areas if profile else ())
    event_log.append(
        [
            LogRecord(
                feed=Feed(event.feed),
                jurisdiction=Jurisdiction(event.jurisdiction),
                delivery=Delivery.RELEASE,
                origin=f"release:{number}",
                received_at=now,
                body=as_json(event),
            )
        ]
    )
    _decide(database, clock, number, "released", by=by, note=note)


def discard(database: Database, clock: Clock, number: int, *, by: Principal, note: str) -> None:
    """Mark a waiting record as not to be taken in; it stays in quarantine's own record.

    Raises
    ------
    NotInQuarantine
        If there is no such waiting record.
    """
    _decide(database, clock, number, "discarded", by=by, note=note)


def _decide(database: Database, clock: Clock, number: int, state: str, *, by: Principal, note: str) -> None:
    now = clock.now()
    with database.write() as connection:
        row = quarantine.decide(connection, number, state=state, by=by.person, note=note, now=now)
        if row.jurisdiction is not None:
            audit.append(
                connection,
                Jurisdiction(row.jurisdiction),
                by,
                now,
                action=f"quarantine_{state}",
                subject=("quarantine_record", str(number)),
                detail={"reason_code": row.reason_code},
            )


def _checked(row: Row[Any], corrections: Mapping[str, Any], area_codes: Container[str]) -> Event:
    """Return the event that a quarantined record, corrected, says."""
    try:
        content = quarantine.merged_body(row, corrections)
    except ValueError as error:
        raise CannotRelease(str(error)) from None
    if findings := screen(content, area_codes=area_codes).findings:
        raise CannotRelease(describe(findings))
    try:
        event = event_from(json.loads(json.dumps(content)))
    except ValidationError as error:
        raise CannotRelease(safe_errors(error)) from None
    if row.feed is not None and event.feed != row.feed:
        msg = "feed: a record can only be released to the feed that it was sent to."
        raise CannotRelease(msg)
    if row.jurisdiction is not None and event.jurisdiction != row.jurisdiction:
        msg = "jurisdiction: a record can only be released to the jurisdiction that it was sent to."
        raise CannotRelease(msg)
    return event
