"""The audit trail: who did what to what, when, chained so that a changed or missing line shows.

Every command and timer step of this package appends in its own transaction; ``tocsin verify-audit`` calls
:func:`verify`. Entries hold ids and codes, never names, counts or free text, and nothing here updates or deletes one.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from alerts.serialise import hold
from schemas.authorise import Principal
from schemas.incidents import AuditEntry
from schemas.tables.audit import audit_entry
from schemas.tables.detection import jurisdiction_state
from schemas.vocabulary import Jurisdiction

_ENTRY = audit_entry.c
_STATE = jurisdiction_state.c


def append(
    connection: Connection,
    jurisdiction: Jurisdiction,
    principal: Principal,
    now: datetime,
    *,
    action: str,
    subject: tuple[str, str],
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add a line to the end of ``jurisdiction``'s chain, and return it.

    Parameters
    ----------
    action : str
        A code such as ``incident_opened``.
    subject : tuple of str
        Kind and id, such as ``("incident", "KM-2018-0003")``.
    detail : mapping, optional
        Codes, ids and moments as text; no names, counts or free text.
    """
    hold(connection, jurisdiction)
    head = connection.execute(
        select(_STATE.audit_head, _STATE.audit_length).where(_STATE.jurisdiction == jurisdiction)
    ).one()
    content: dict[str, Any] = {
        "jurisdiction": jurisdiction,
        "position": head.audit_length + 1,
        "at": now,
        "actor": principal.person,
        "authenticated_by": principal.authenticated_by.value,
        "action": action,
        "subject_kind": subject[0],
        "subject": subject[1],
        "detail": dict(detail or {}),
        "previous_hash": head.audit_head,
    }
    content["hash"] = hash_of(content)
    connection.execute(insert(audit_entry).values(**content))
    connection.execute(
        update(jurisdiction_state)
        .where(_STATE.jurisdiction == jurisdiction)
        .values(audit_head=content["hash"], audit_length=content["position"])
    )
    return AuditEntry.model_validate(content)


def hash_of(content: Mapping[Any, Any]) -> str:
    """Return the hash of an entry: of everything in it, the previous entry's hash included."""
    said: dict[str, Any] = {str(name): content[name] for name in content if name != "hash"}
    said["at"] = content["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What verifying a chain found."""

    jurisdiction: Jurisdiction
    entries: int
    problem: str | None
    """One sentence that names the first entry that does not fit; None if all do."""

    @property
    def holds(self) -> bool:
        """Whether every entry is as it was written, and none is missing."""
        return self.problem is None


def verify(connection: Connection, jurisdiction: Jurisdiction) -> ChainCheck:
    """Check that every entry is as it was written, follows the one before, and that none is missing from the end."""
    previous = ""
    position = 0
    rows = connection.execute(
        select(audit_entry).where(_ENTRY.jurisdiction == jurisdiction).order_by(_ENTRY.position)
    )
    for row in rows.mappings():
        position += 1
        if row["position"] != position:
            return ChainCheck(jurisdiction, position - 1, f"Entry {position} is missing.")
        if row["previous_hash"] != previous:
            return ChainCheck(
                jurisdiction, position - 1, f"Entry {position} does not follow the one before it."
            )
        if row["hash"] != hash_of(row):
            return ChainCheck(
                jurisdiction, position - 1, f"Entry {position} was changed after it was written."
            )
        previous = row["hash"]
    head = connection.execute(
        select(_STATE.audit_head, _STATE.audit_length).where(_STATE.jurisdiction == jurisdiction)
    ).one_or_none()
    if (head.audit_length if head else 0) != position or (head.audit_head if head else "") != previous:
        return ChainCheck(jurisdiction, position, "Entries are missing from the end of the chain.")
    return ChainCheck(jurisdiction, position, None)


def entries(
    connection: Connection, jurisdiction: Jurisdiction, subject: tuple[str, str] | None = None
) -> Iterator[AuditEntry]:
    """Yield a jurisdiction's entries, oldest first; those of one subject, if one is named."""
    statement = select(audit_entry).where(_ENTRY.jurisdiction == jurisdiction).order_by(_ENTRY.position)
    if subject is not None:
        statement = statement.where(_ENTRY.subject_kind == subject[0], _ENTRY.subject == subject[1])
    for row in connection.execute(statement).mappings():
        yield AuditEntry.model_validate(dict(row))
