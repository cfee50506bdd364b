"""Who hears of an incident, and when again: a notice is given when it opens, and after that only if it got worse.

Attach-or-open calls :func:`consider` after every change, in its own transaction. A page starts an escalation round that
wants its own acknowledgement; a review is one message for the next working day.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from alerts import audit, escalation, outbox
from alerts.desk import Desk
from alerts.facts import Facts, add_told, is_second_wave, worse
from alerts.people import on_call_at, people_with
from alerts.telling import cards_for
from alerts.urgency import review_time, ring_time
from schemas.authorise import SYSTEM, Role
from schemas.incidents import Urgency, Worse
from schemas.messages import MessageKind
from schemas.signals import Signal
from schemas.tables.incidents import acknowledgement, incident_escalation, incident_evidence
from schemas.vocabulary import Jurisdiction, Tier

_TIMER = incident_escalation.c
_ACK = acknowledgement.c
_EVIDENCE = incident_evidence.c


def consider(
    connection: Connection,
    incident_id: str,
    facts: Facts,
    signals: Sequence[Signal],
    urgency: Urgency,
    now: datetime,
    *,
    desk: Desk,
    opened: bool,
) -> None:
    """Give notice of an open incident if it is new or got worse; either way, put off asking to close it."""
    ask_close_at = facts.newest_evidence_at + timedelta(days=desk.settings.ask_to_close_after_days)
    connection.execute(
        update(incident_escalation)
        .where(_TIMER.incident_id == incident_id)
        .values(ask_close_at=max(ask_close_at, now + timedelta(days=1)))
    )
    timer = connection.execute(select(incident_escalation).where(_TIMER.incident_id == incident_id)).one()
    reasons = (Worse.OPENED,) if opened else _what_got_worse(connection, timer, facts, signals)
    if not reasons:
        if urgency is Urgency.NOW:
            escalation.ring_now(connection, incident_id, now, desk=desk)
        return
    pages = facts.tier is Tier.PAGE
    rings_at = ring_time(urgency, now, desk.settings) if pages else review_time(now, desk.settings)
    notice = timer.notice + 1
    connection.execute(
        update(incident_escalation)
        .where(_TIMER.incident_id == incident_id)
        .values(
            notice=notice,
            noticed_at=rings_at,
            reasons=[reason.value for reason in reasons],
            told=facts.told() if opened else add_told(timer.told, facts.told()),
            steps_taken=0,
            next_at=rings_at if pages else None,
        )
    )
    audit.append(
        connection,
        Jurisdiction(timer.jurisdiction),
        SYSTEM,
        now,
        action="notice_given",
        subject=("incident", incident_id),
        detail={
            "notice": notice,
            "tier": facts.tier.value,
            "urgency": urgency.value,
            "reasons": [reason.value for reason in reasons],
        },
    )
    if not pages:
        _post_review(connection, timer, notice, rings_at, now, desk)
    elif rings_at <= now:
        escalation.take_step(connection, incident_id, now, desk=desk)


def _what_got_worse(
    connection: Connection, timer: Row[Any], facts: Facts, signals: Sequence[Signal]
) -> tuple[Worse, ...]:
    if facts.tier is Tier.RECORD:
        return ()
    reasons = worse(facts, timer.told)
    answered_at = connection.execute(
        select(func.max(_ACK.acknowledged_at)).where(
            _ACK.incident_id == timer.incident_id, _ACK.notice == timer.notice, _ACK.undone_at.is_(None)
        )
    ).scalar()
    if answered_at is None:
        return reasons
    known_since = connection.execute(
        select(_EVIDENCE.identity).where(
            _EVIDENCE.incident_id == timer.incident_id, _EVIDENCE.added_at > answered_at
        )
    ).scalars()
    if is_second_wave(signals, answered_at, set(known_since)):
        return (*reasons, Worse.SECOND_WAVE)
    return reasons


def _post_review(
    connection: Connection, timer: Row[Any], notice: int, send_at: datetime, now: datetime, desk: Desk
) -> None:
    """Owe one message to the coordinators, or failing them to whoever will be on call, for the next working day."""
    jurisdiction = Jurisdiction(timer.jurisdiction)
    whom = people_with(connection, jurisdiction, Role.COORDINATOR) or on_call_at(
        connection, jurisdiction, send_at
    )
    cards = cards_for(
        connection,
        timer.incident_id,
        now,
        desk=desk,
        before=("For review. Nobody waits for an acknowledgement.",),
    )
    owed = outbox.Owed(
        jurisdiction,
        timer.incident_id,
        MessageKind.REVIEW,
        notice,
        # However often it got worse before that morning, one message says so.
        f"review:{timer.incident_id}:{send_at:%Y-%m-%d}",
    )
    for person in escalation.resolve(connection, whom, desk):
        outbox.replace_pending(connection, owed, person, cards, now, desk=desk, not_before=send_at)


def tell_withdrawn(connection: Connection, incident_id: str, now: datetime, *, desk: Desk) -> None:
    """Tell whoever was paged of the present notice, or has it, that evidence was taken back; once a day at most."""
    timer = connection.execute(select(incident_escalation).where(_TIMER.incident_id == incident_id)).one()
    whom = outbox.told_of(connection, incident_id, timer.notice)
    if not whom:
        return
    before = ("Evidence behind this incident was taken back. Please look at it again.",)
    cards = cards_for(connection, incident_id, now, desk=desk, before=before)
    owed = outbox.Owed(
        Jurisdiction(timer.jurisdiction),
        incident_id,
        MessageKind.WITHDRAWN,
        timer.notice,
        f"withdrawn:{incident_id}:{now:%Y-%m-%d}",
    )
    quiet_until = ring_time(Urgency.MORNING, now, desk.settings)
    for person in escalation.resolve(connection, whom, desk):
        outbox.post(connection, owed, person, cards, now, desk=desk, not_before=quiet_until)
