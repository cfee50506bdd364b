"""The outbox: messages owed, written in the transaction that gives the reason for them, and sent later.

Escalation, acknowledgement and attach-or-open write rows with :func:`post`; the sender claims them by compare-and-set
with a lease, and asks again, at that moment, whether the message is still wanted. Nothing here touches the network.
A row is never deleted: one that is not sent says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from alerts.desk import Desk
from alerts.ids import digest
from alerts.people import Person
from alerts.serialise import insert_missing
from schemas.messages import MessageKind, OutsideCard
from schemas.tables.incidents import acknowledgement, incident_decision, incident_escalation
from schemas.tables.outbox import delivery, outbox
from schemas.vocabulary import Jurisdiction

_ROW = outbox.c
_DELIVERY = delivery.c
_ACK = acknowledgement.c
_ESCALATION = incident_escalation.c
_DECISION = incident_decision.c

CONSOLE_LOG: Final = "console_log"
EMAIL: Final = "email"
NO_CHANNEL: Final = "none"

_AWAITED = ("pending", "claimed")


@dataclass(frozen=True, slots=True)
class Owed:
    """One message to one person, before it is split by channel."""

    jurisdiction: Jurisdiction
    incident_id: str
    kind: MessageKind
    notice: int
    key: str
    """What makes it the same message: a second one with this key to this person by this channel is not written."""


def channels_to(person: Person, desk: Desk) -> tuple[str, ...]:
    """Return the channels in use that can reach ``person``."""
    return tuple(name for name in desk.settings.channels.names if name != EMAIL or person.email)


def can_be_reached(person: Person, desk: Desk) -> bool:
    """Whether a message to ``person`` may wake them: a line in a log does not, unless there is nothing else."""
    return EMAIL in channels_to(person, desk) or desk.settings.channels.email is None


def post(
    connection: Connection,
    owed: Owed,
    person: Person,
    cards: Mapping[str, OutsideCard],
    now: datetime,
    *,
    desk: Desk,
    not_before: datetime | None = None,
) -> int:
    """Write a row for each channel that reaches ``person``; return how many are new.

    Parameters
    ----------
    cards : mapping of str to OutsideCard
        The words for each channel, by name.
    """
    channels = channels_to(person, desk)
    due = max(now, not_before or now)
    rows = [_new_row(owed, person, name, cards[name], now, due) for name in channels]
    if not rows:
        row = _new_row(owed, person, NO_CHANNEL, next(iter(cards.values())), now, due)
        rows = [row | {"state": "failed", "finished_at": now, "reason": "no channel reaches this person"}]
    return insert_missing(connection, outbox, rows)


def replace_pending(
    connection: Connection,
    owed: Owed,
    person: Person,
    cards: Mapping[str, OutsideCard],
    now: datetime,
    *,
    desk: Desk,
    not_before: datetime,
) -> None:
    """Write rows as :func:`post` does; one with the same key that was not yet tried gets the new words and notice."""
    if post(connection, owed, person, cards, now, desk=desk, not_before=not_before):
        return
    for name in channels_to(person, desk):
        connection.execute(
            update(outbox)
            .where(
                _ROW.dedupe_key == f"{owed.key}:{person.id}:{name}",
                _ROW.state == "pending",
                _ROW.attempts == 0,
            )
            .values(notice=owed.notice, body=cards[name].model_dump(mode="json"))
        )


def _new_row(
    owed: Owed, person: Person, channel: str, card: OutsideCard, now: datetime, due: datetime
) -> dict[str, Any]:
    key = f"{owed.key}:{person.id}:{channel}"
    return {
        "id": digest(key),
        "dedupe_key": key,
        "jurisdiction": owed.jurisdiction,
        "incident_id": owed.incident_id,
        "kind": owed.kind.value,
        "notice": owed.notice,
        "recipient": person.id,
        "channel": channel,
        "body": card.model_dump(mode="json"),
        "created_at": now,
        "not_before": due,
        "state": "pending",
        "attempts": 0,
        "due_at": due,
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that this sender, and no other until the lease runs out, is to send."""

    outbox_id: str
    delivery_id: str
    jurisdiction: Jurisdiction
    incident_id: str | None
    kind: MessageKind
    notice: int
    recipient: str
    channel: str
    card: OutsideCard
    created_at: datetime
    attempt: int
    possible_repeat: bool


def next_due(connection: Connection) -> datetime | None:
    """Return when the next message is to be tried, or when a stalled claim runs out; None if nothing is owed."""
    due: datetime | None = connection.execute(
        select(func.min(_ROW.due_at)).where(_ROW.state.in_(_AWAITED))
    ).scalar()
    return due


def claim_next(connection: Connection, now: datetime, *, owner: str, lease: timedelta) -> Claim | None:
    """Claim the message that has been due longest and is still wanted; None if there is none.

    Messages that are no longer wanted are marked ``not_sent`` with the reason on the way.
    """
    while True:
        row = connection.execute(
            select(outbox)
            .where(_ROW.state.in_(_AWAITED), _ROW.due_at <= now)
            .order_by(_ROW.due_at, _ROW.created_at, _ROW.id)
            .limit(1)
        ).one_or_none()
        if row is None:
            return None
        reason = why_unwanted(connection, row, now)
        values: dict[str, Any] = (
            {"state": "claimed", "claimed_by": owner, "due_at": now + lease, "attempts": row.attempts + 1}
            if reason is None
            else {"state": "not_sent", "claimed_by": None, "finished_at": now, "reason": reason}
        )
        # Compare and set: whoever else read the same row finds it changed.
        won = connection.execute(
            update(outbox)
            .where(
                _ROW.id == row.id,
                _ROW.state == row.state,
                _ROW.attempts == row.attempts,
                _ROW.due_at == row.due_at,
            )
            .values(**values)
        )
        if won.rowcount == 1 and reason is None:
            return _start(connection, row, now)


def _start(connection: Connection, row: Row[Any], now: datetime) -> Claim:
    """Note that an attempt begins, so that one which never ends is known to have begun."""
    unclear = connection.execute(
        select(_DELIVERY.id)
        .where(_DELIVERY.outbox_id == row.id, _DELIVERY.outcome.is_(None) | (_DELIVERY.outcome == "unclear"))
        .limit(1)
    ).first()
    attempt = row.attempts + 1
    delivery_id = digest(row.dedupe_key, attempt)
    connection.execute(
        insert(delivery).values(
            id=delivery_id,
            outbox_id=row.id,
            attempt=attempt,
            started_at=now,
            possible_repeat=unclear is not None,
        )
    )
    return Claim(
        outbox_id=row.id,
        delivery_id=delivery_id,
        jurisdiction=Jurisdiction(row.jurisdiction),
        incident_id=row.incident_id,
        kind=MessageKind(row.kind),
        notice=row.notice,
        recipient=row.recipient,
        channel=row.channel,
        card=OutsideCard.model_validate(row.body),
        created_at=row.created_at,
        attempt=attempt,
        possible_repeat=unclear is not None,
    )


def why_unwanted(connection: Connection, row: Row[Any], now: datetime) -> str | None:  # noqa: PLR0911 (one sentence a reason)
    """Return why a message is no longer wanted, in words for the console; None if it is."""
    if row.incident_id is None:
        return None
    closed = connection.execute(
        select(_DECISION.closed_at).where(_DECISION.incident_id == row.incident_id)
    ).scalar_one_or_none()
    if closed is not None:
        return "the incident was closed"
    timer = connection.execute(
        select(_ESCALATION.notice, _ESCALATION.ask_close_at).where(_ESCALATION.incident_id == row.incident_id)
    ).one()
    kind = MessageKind(row.kind)
    if kind is MessageKind.ASK_CLOSE:
        return "new evidence came" if timer.ask_close_at is not None else None
    if kind is MessageKind.WITHDRAWN:
        return None
    if row.notice < timer.notice:
        return "a later notice replaced it"
    holders = connection.execute(
        select(_ACK.person, _ACK.acknowledged_at, _ACK.review_by).where(
            _ACK.incident_id == row.incident_id,
            _ACK.notice == row.notice,
            _ACK.undone_at.is_(None),
            _ACK.lapsed_at.is_(None),
        )
    ).all()
    if kind is MessageKind.HAS_IT:
        return None if holders else "nobody has it any more"
    if any(holder.person == row.recipient for holder in holders):
        return "this person already acknowledged"
    if any(holder.review_by > now for holder in holders):
        return "somebody else acknowledged"
    return None


def finish(connection: Connection, claim: Claim, now: datetime, *, detail: str) -> None:
    """Note that a message was handed on. Also true if our lease ran out meanwhile: it was sent."""
    _finish_delivery(connection, claim, now, outcome="sent", detail=detail)
    connection.execute(
        update(outbox)
        .where(_ROW.id == claim.outbox_id, _ROW.state.in_(_AWAITED))
        .values(state="sent", claimed_by=None, finished_at=now, reason=None)
    )


def retry_at(
    connection: Connection, claim: Claim, now: datetime, due: datetime, *, code: str, may_have_arrived: bool
) -> None:
    """Note that an attempt failed for now, and when to try again."""
    outcome = "unclear" if may_have_arrived else "transient"
    _finish_delivery(connection, claim, now, outcome=outcome, detail=code)
    connection.execute(
        update(outbox)
        .where(_ROW.id == claim.outbox_id, _ROW.state == "claimed", _ROW.attempts == claim.attempt)
        .values(state="pending", claimed_by=None, due_at=due, reason=code)
    )


def failed_attempts(connection: Connection, outbox_id: str) -> int:
    """Return how many attempts at a message the channel answered with a failure that may pass."""
    return connection.execute(
        select(func.count()).where(delivery.c.outbox_id == outbox_id, delivery.c.outcome == "transient")
    ).scalar_one()


def give_up(connection: Connection, claim: Claim, now: datetime, *, code: str) -> None:
    """Note that a message cannot be sent."""
    _finish_delivery(connection, claim, now, outcome="permanent", detail=code)
    connection.execute(
        update(outbox)
        .where(_ROW.id == claim.outbox_id, _ROW.state == "claimed", _ROW.attempts == claim.attempt)
        .values(state="failed", claimed_by=None, finished_at=now, reason=code)
    )


def _finish_delivery(
    connection: Connection, claim: Claim, now: datetime, *, outcome: str, detail: str
) -> None:
    connection.execute(
        update(delivery)
        .where(_DELIVERY.id == claim.delivery_id)
        .values(outcome=outcome, finished_at=now, detail=detail[:200])
    )


def told_of(connection: Connection, incident_id: str, notice: int) -> tuple[str, ...]:
    """Return who was sent a page or reminder of a notice, or may have been, by id."""
    rows = connection.execute(
        select(_ROW.recipient)
        .where(
            _ROW.incident_id == incident_id,
            _ROW.notice == notice,
            _ROW.kind.in_([kind.value for kind in MessageKind if kind.rings]),
            _ROW.state.in_(("sent", "claimed")),
        )
        .distinct()
        .order_by(_ROW.recipient)
    )
    return tuple(rows.scalars())


def may_have_reached(
    connection: Connection, incident_id: str, notice: int, desk: Desk, *, besides: str | None = None
) -> bool:
    """Whether a page or reminder of a notice reached somebody other than ``besides``, or still may.

    As for :func:`can_be_reached`, a line in a log reaches nobody unless there is nothing else.
    """
    waking = (EMAIL,) if desk.settings.channels.email is not None else desk.settings.channels.names
    found = connection.execute(
        select(_ROW.id)
        .where(
            _ROW.incident_id == incident_id,
            _ROW.notice == notice,
            _ROW.kind.in_([kind.value for kind in MessageKind if kind.rings]),
            _ROW.channel.in_(waking),
            _ROW.state.in_(("sent", *_AWAITED)),
            _ROW.recipient != (besides or ""),
        )
        .limit(1)
    ).first()
    return found is not None
