"""Incidents read from the database: for the console, the command line, replay and metrics. Reads only.

What it returns holds true numbers as :class:`schemas.disclosure.EventCount`; callers authorise before they ask, and
show figures by ``schemas.disclosure.exact``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from schemas.disclosure import EventCount
from schemas.geography import AreaCode
from schemas.incidents import (
    Acknowledgement,
    Grade,
    Incident,
    Outcome,
    Phase,
    Reliability,
    Severity,
    Spread,
    Urgency,
    Verification,
    Worse,
)
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.tables.incidents import (
    acknowledgement,
    incident,
    incident_decision,
    incident_escalation,
    incident_signal,
)
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Jurisdiction, Tier

_INCIDENT = incident.c
_TIMER = incident_escalation.c
_DECISION = incident_decision.c
_ACK = acknowledgement.c
_JOINED = incident_signal.c
_OUTBOX = outbox.c


@dataclass(frozen=True, slots=True)
class MessageState:
    """One message about an incident, and what became of it."""

    kind: str
    notice: int
    recipient: str
    channel: str
    state: str
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
    reason: str | None
    attempts: int


def get_incident(connection: Connection, incident_id: str) -> Incident | None:
    """Return one incident; nothing if there is none of this id."""
    row = connection.execute(_statement().where(_INCIDENT.id == incident_id)).one_or_none()
    return _incidents(connection, [row])[0] if row is not None else None


def list_incidents(
    connection: Connection,
    jurisdictions: Sequence[Jurisdiction],
    *,
    open_only: bool = False,
    most: int = 200,
    skip: int = 0,
) -> list[Incident]:
    """Return the incidents of these jurisdictions, the newest first."""
    statement = (
        _statement()
        .where(_INCIDENT.jurisdiction.in_(sorted(jurisdictions)))
        .order_by(_INCIDENT.opened_at.desc(), _INCIDENT.jurisdiction, _INCIDENT.sequence.desc())
        .limit(most)
        .offset(skip)
    )
    if open_only:
        statement = statement.where(_DECISION.closed_at.is_(None))
    return _incidents(connection, connection.execute(statement).all())


def signals_of(connection: Connection, incident_id: str) -> list[Signal]:
    """Return the signals joined to an incident as last seen: the latest window first."""
    bodies = connection.execute(
        select(_JOINED.body)
        .where(_JOINED.incident_id == incident_id)
        .order_by(_JOINED.window_end.desc(), _JOINED.window_start.desc(), _JOINED.signal_id)
    ).scalars()
    return [Signal.model_validate(body) for body in bodies]


def linked_from(connection: Connection, incident_id: str) -> tuple[str, ...]:
    """Return the incidents that later evidence opened after this one was closed."""
    rows = connection.execute(
        select(_INCIDENT.id).where(_INCIDENT.linked_to == incident_id).order_by(_INCIDENT.id)
    )
    return tuple(rows.scalars())


def messages_of(connection: Connection, incident_id: str) -> list[MessageState]:
    """Return every message about an incident, in the order in which they were owed."""
    rows = connection.execute(
        select(outbox)
        .where(_OUTBOX.incident_id == incident_id)
        .order_by(_OUTBOX.created_at, _OUTBOX.due_at, _OUTBOX.id)
    )
    return [
        MessageState(
            kind=row.kind,
            notice=row.notice,
            recipient=row.recipient,
            channel=row.channel,
            state=row.state,
            created_at=row.created_at,
            due_at=row.due_at,
            finished_at=row.finished_at,
            reason=row.reason,
            attempts=row.attempts,
        )
        for row in rows
    ]


def _statement() -> Select[Any]:
    signals = (
        select(func.count())
        .select_from(incident_signal)
        .where(_JOINED.incident_id == _INCIDENT.id)
        .scalar_subquery()
    )
    return (
        select(
            incident,
            _TIMER.notice,
            _TIMER.reasons,
            _TIMER.next_at,
            _DECISION.phase,
            _DECISION.grade_reliability,
            _DECISION.grade_severity,
            _DECISION.grade_spread,
            _DECISION.verification,
            _DECISION.outcome,
            _DECISION.owner,
            _DECISION.closed_at,
            _DECISION.closed_by,
            signals.label("signals"),
        )
        .join(incident_escalation, _TIMER.incident_id == _INCIDENT.id)
        .outerjoin(incident_decision, _DECISION.incident_id == _INCIDENT.id)
    )


def _incidents(connection: Connection, rows: Sequence[Row[Any]]) -> list[Incident]:
    acknowledgements: dict[str, list[Acknowledgement]] = {row.id: [] for row in rows}
    wanted = sorted(acknowledgements)
    for start in range(0, len(wanted), _AT_ONCE):
        found = connection.execute(
            select(acknowledgement)
            .where(_ACK.incident_id.in_(wanted[start : start + _AT_ONCE]))
            .order_by(_ACK.acknowledged_at, _ACK.id)
        )
        for row in found:
            acknowledgements[row.incident_id].append(
                Acknowledgement.model_validate(row, from_attributes=True)
            )
    return [_incident(row, acknowledgements[row.id]) for row in rows]


_AT_ONCE = 500
"""Ids in one statement: both databases limit how many parameters one may have."""


def _incident(row: Row[Any], acknowledgements: Sequence[Acknowledgement]) -> Incident:
    jurisdiction = Jurisdiction(row.jurisdiction)
    return Incident(
        id=row.id,
        jurisdiction=jurisdiction,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        linked_to=row.linked_to,
        tier=Tier(row.tier),
        urgency=Urgency(row.urgency),
        substance_class=SubstanceClass(row.substance_class),
        areas=tuple(AreaCode(code) for code in row.areas),
        feeds=tuple(Feed(name) for name in row.feeds),
        window=(row.window_start, row.window_end),
        observed=EventCount(row.observed, jurisdiction),
        expected=row.expected,
        recurrence_interval_days=row.recurrence_interval_days,
        first_day=row.first_day,
        last_day=row.last_day,
        newest_evidence_at=row.newest_evidence_at,
        serious_outcome=row.serious_outcome,
        lab_confirmed=row.lab_confirmed,
        signals=row.signals,
        evidence_withdrawn=row.evidence_withdrawn,
        evidence_withdrawn_at=row.evidence_withdrawn_at,
        phase=Phase(row.phase or Phase.NEW),
        grade=Grade(
            reliability=Reliability(row.grade_reliability) if row.grade_reliability else None,
            severity=Severity(row.grade_severity) if row.grade_severity else None,
            spread=Spread(row.grade_spread) if row.grade_spread else None,
        ),
        verification=Verification(row.verification or Verification.UNVERIFIED),
        outcome=Outcome(row.outcome or Outcome.NONE),
        owner=row.owner,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        notice=row.notice,
        reasons=tuple(Worse(reason) for reason in row.reasons),
        next_step_at=row.next_at,
        acknowledgements=tuple(acknowledgements),
    )
