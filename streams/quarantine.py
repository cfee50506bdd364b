"""Quarantine: records that could not be taken in, each with a reason a person can act on.

Connectors put a record here when it holds an identifier or cannot be read, intake when it does not validate. Nothing
here was ever counted. A person lists, releases (with a correction if need be) or discards; every decision is kept.
The identifying values themselves are never stored: a record that held one keeps its other fields only.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from schemas.tables.events import quarantine
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.decoding import known_fields


@dataclass(frozen=True, slots=True)
class QuarantineItem:
    """One record to be quarantined."""

    place: str
    """Where it was found: a file's row, a request's record number or a log position."""
    reason_code: str
    reason: str
    """One sentence: what is wrong, where, what to do. It never repeats what was sent."""
    body: str | None
    """The record as redacted JSON, or nothing when it could not be read."""
    body_complete: bool
    """Whether ``body`` is the whole record, so that it can be released as it stands."""
    feed: Feed | None
    jurisdiction: Jurisdiction | None
    origin: str
    received_at: datetime
    delivery: Delivery

    @property
    def fingerprint(self) -> str:
        """A hash by which the same record, sent or read again for the same reason, is kept once."""
        parts = (
            self.origin,
            self.feed or "",
            self.jurisdiction or "",
            self.reason_code,
            self.body if self.body is not None else f"@{self.received_at.isoformat()}",
            # Of a record that was redacted, what told it from its neighbours may be what was taken out.
            "" if self.body is not None and self.body_complete else self.place,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class NotInQuarantine(LookupError):  # noqa: N818 (reads as the sentence it is)
    """There is no waiting record of that number."""


def put(connection: Connection, items: Iterable[QuarantineItem], now: datetime) -> int:
    """Store the items that are not there yet; return how many were new."""
    rows = {item.fingerprint: item for item in items}
    if not rows:
        return 0
    fingerprints = sorted(rows)
    known: set[str] = set()
    for start in range(0, len(fingerprints), 500):
        chunk = fingerprints[start : start + 500]
        known.update(
            connection.execute(
                select(quarantine.c.fingerprint).where(quarantine.c.fingerprint.in_(chunk))
            ).scalars()
        )
    fresh = [rows[fingerprint] for fingerprint in rows if fingerprint not in known]
    if fresh:
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(
            # Another process may put the same record here in the same moment.
            make(quarantine).on_conflict_do_nothing(index_elements=["fingerprint"]),
            [
                {
                    "quarantined_at": now,
                    "feed": item.feed,
                    "jurisdiction": item.jurisdiction,
                    "origin": item.origin,
                    "place": item.place[:200],
                    "fingerprint": item.fingerprint,
                    "reason_code": item.reason_code,
                    "reason": item.reason[:500],
                    "body": item.body,
                    "body_complete": item.body_complete,
                    "received_at": item.received_at,
                    "delivery": item.delivery,
                    "state": "waiting",
                }
                for item in fresh
            ],
        )
    return len(fresh)


def waiting(
    connection: Connection, *, jurisdictions: Sequence[str] | None = None, limit: int = 200
) -> Sequence[Row[Any]]:
    """Return the records that wait for a decision, oldest first; of ``jurisdictions`` only, where given."""
    statement = select(quarantine).where(quarantine.c.state == "waiting")
    if jurisdictions is not None:
        statement = statement.where(quarantine.c.jurisdiction.in_(jurisdictions))
    return connection.execute(statement.order_by(quarantine.c.id).limit(limit)).all()


def counts_by_state(connection: Connection) -> Mapping[str, int]:
    """Return how many records are waiting, released and discarded."""
    rows = connection.execute(
        select(quarantine.c.state, func.count().label("number")).group_by(quarantine.c.state)
    )
    return {row.state: row.number for row in rows}


def counts_by_reason(connection: Connection) -> dict[str, int]:
    """Return how many records were ever put here, by reason code."""
    rows = connection.execute(
        select(quarantine.c.reason_code, func.count().label("number")).group_by(quarantine.c.reason_code)
    )
    return {row.reason_code: row.number for row in rows}


def get(connection: Connection, number: int) -> Row[Any]:
    """Return one quarantined record, whatever its state; raise :class:`NotInQuarantine` if there is none."""
    row = connection.execute(select(quarantine).where(quarantine.c.id == number)).one_or_none()
    if row is None:
        msg = f"There is no record {number} in quarantine."
        raise NotInQuarantine(msg)
    return row


def decide(connection: Connection, number: int, *, state: str, by: str, note: str, now: datetime) -> Row[Any]:
    """Mark a waiting record released or discarded, and by whom; return it as it was.

    Raises
    ------
    NotInQuarantine
        If there is no such record, or somebody decided already.
    """
    row = get(connection, number)
    done = connection.execute(
        update(quarantine)
        .where(quarantine.c.id == number, quarantine.c.state == "waiting")
        .values(state=state, decided_at=now, decided_by=by, decision_note=note[:500])
    )
    if done.rowcount != 1:
        msg = f"Record {number} is not waiting any more: it was {row.state}."
        raise NotInQuarantine(msg)
    return row


def merged_body(row: Row[Any], corrections: Mapping[str, Any]) -> dict[str, Any]:
    """Return a quarantined record's content with ``corrections`` (dotted names to values) applied.

    A field that no message has is left out: it is why the record waits, or what screening put in the place of a value.
    What the connector knows of the delivery is put in where the record leaves it unsaid, as partners may.

    Raises
    ------
    ValueError
        If the record could not be read, or a correction goes through something that is not an object.
    """
    if row.body is None:
        msg = f"Record {row.id} could not be read; ask the sender to send it again, then discard it."
        raise ValueError(msg)
    content = json.loads(row.body)
    if not isinstance(content, dict):
        msg = f"Record {row.id} is not an object; ask the sender to send it again, then discard it."
        raise ValueError(msg)  # noqa: TRY004 (a matter of the record's content, not of a caller's type)
    content = known_fields(content)[0]
    for name, known in (("feed", row.feed), ("jurisdiction", row.jurisdiction)):
        if known is not None:
            content.setdefault(name, known)
    for name, value in corrections.items():
        *parents, last = name.split(".")
        target: Any = content
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                msg = f"{name} does not name a field of the record."
                raise ValueError(msg)  # noqa: TRY004
        if value is None:
            target.pop(last, None)
        else:
            target[last] = value
    return content
