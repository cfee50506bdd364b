"""Each jurisdiction's state: dirty marks left by intake, and the lease under which one detection run works.

A lease is claimed by compare-and-set on the injected clock's time, never the database's, so that a virtual clock works.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, func, or_, select, update

from schemas.tables.detection import jurisdiction_state
from schemas.vocabulary import Jurisdiction
from streams.upsert import upsert

STATE = jurisdiction_state.c


@dataclass(frozen=True, slots=True)
class State:
    """What a scheduler needs to know of one jurisdiction."""

    jurisdiction: Jurisdiction
    dirty_revision: int
    clean_revision: int
    dirty_since: datetime | None
    last_run_at: datetime | None
    lease_until: datetime | None
    lease_owner: str | None
    failed_parts: tuple[str, ...]
    """Which parts of detection failed in the last run."""
    failing_since: datetime | None

    @property
    def is_dirty(self) -> bool:
        """Whether something arrived since the last run read the counts."""
        return self.dirty_revision != self.clean_revision


def ensure(connection: Connection, jurisdictions: Sequence[Jurisdiction]) -> None:
    """Make sure that each jurisdiction has its row."""
    rows = [
        {
            "jurisdiction": name,
            "revision": 0,
            "audit_head": "",
            "audit_length": 0,
            "dirty_revision": 0,
            "clean_revision": 0,
            "failed_parts": "",
        }
        for name in sorted(jurisdictions)
    ]
    upsert(connection, jurisdiction_state, rows)


def mark_dirty(connection: Connection, jurisdictions: Sequence[Jurisdiction], now: datetime) -> None:
    """Say that new data of these jurisdictions waits for a detection run. ``jurisdictions`` must be sorted."""
    for name in jurisdictions:
        connection.execute(
            update(jurisdiction_state)
            .where(STATE.jurisdiction == name, STATE.dirty_revision == STATE.clean_revision)
            .values(dirty_since=now)
        )
        connection.execute(
            update(jurisdiction_state)
            .where(STATE.jurisdiction == name)
            .values(dirty_revision=STATE.dirty_revision + 1)
        )


def states(connection: Connection) -> list[State]:
    """Return every jurisdiction's state, by name."""
    rows = connection.execute(select(jurisdiction_state).order_by(STATE.jurisdiction))
    return [_state(row) for row in rows]


def _state(row: Row) -> State:  # type: ignore[type-arg]
    return State(
        jurisdiction=Jurisdiction(row.jurisdiction),
        dirty_revision=row.dirty_revision,
        clean_revision=row.clean_revision,
        dirty_since=row.dirty_since,
        last_run_at=row.last_run_at,
        lease_until=row.lease_until,
        lease_owner=row.lease_owner,
        failed_parts=tuple(row.failed_parts.split()),
        failing_since=row.failing_since,
    )


def claim(
    connection: Connection, jurisdiction: Jurisdiction, *, owner: str, now: datetime, lease: timedelta
) -> State | None:
    """Take the lease if it is free, lapsed or ours; return the state as it was read under it, or nothing."""
    claimed = connection.execute(
        update(jurisdiction_state)
        .where(
            STATE.jurisdiction == jurisdiction,
            or_(STATE.lease_until.is_(None), STATE.lease_until < now, STATE.lease_owner == owner),
        )
        .values(lease_owner=owner, lease_until=now + lease)
    )
    if claimed.rowcount != 1:
        return None
    row = connection.execute(select(jurisdiction_state).where(STATE.jurisdiction == jurisdiction)).one()
    return _state(row)


def renew(
    connection: Connection, jurisdiction: Jurisdiction, *, owner: str, now: datetime, lease: timedelta
) -> bool:
    """Hold the lease for longer while it is still ours; return whether it was."""
    renewed = connection.execute(
        update(jurisdiction_state)
        .where(STATE.jurisdiction == jurisdiction, STATE.lease_owner == owner, STATE.lease_until >= now)
        .values(lease_until=now + lease)
    )
    return renewed.rowcount == 1


def finish(
    connection: Connection,
    jurisdiction: Jurisdiction,
    *,
    owner: str,
    clean_revision: int,
    now: datetime,
    failed: Sequence[str] = (),
) -> bool:
    """Give the lease back and note what the run had read; return whether the lease was still ours.

    The caller writes its signals in the same transaction and rolls back when this returns ``False``: a run that
    stalled past its lease must leave no trace. ``failed`` names the parts of the run that failed; since when any did
    stays until a run in which none does.
    """
    done = connection.execute(
        update(jurisdiction_state)
        .where(STATE.jurisdiction == jurisdiction, STATE.lease_owner == owner, STATE.lease_until >= now)
        .values(
            lease_owner=None,
            lease_until=None,
            clean_revision=clean_revision,
            last_run_at=now,
            failed_parts=" ".join(failed),
            failing_since=func.coalesce(STATE.failing_since, now) if failed else None,
        )
    )
    if done.rowcount != 1:
        return False
    # Something arrived while the run was computing: it waits from now.
    connection.execute(
        update(jurisdiction_state)
        .where(STATE.jurisdiction == jurisdiction, STATE.dirty_revision != clean_revision)
        .values(dirty_since=now)
    )
    return True
