"""Escalation: the timer that keeps asking until somebody acknowledges, and never ends silently.

1. A notice of tier *page* starts a round: its first step is taken when it may ring.
2. Each step tells the people of the frozen policy, whoever is on call at that moment; the last step repeats.
3. An acknowledgement holds the round until its review-by. When that passes, whoever had it and whoever is on call now
   hear of it, and the round goes on.
4. Only closing the incident ends the round.

The engine drives :class:`EscalationJob`; each step is one transaction, and writes only what the timer owns.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from alerts import audit, outbox
from alerts.card import moment_words
from alerts.desk import Desk
from alerts.people import Person, find_person, on_call_at, people_with
from alerts.serialise import hold
from alerts.settings import EscalationPolicy, EscalationStep
from alerts.telling import cards_for
from alerts.urgency import is_quiet, ring_time
from schemas.authorise import SYSTEM, Role
from schemas.database import Database
from schemas.incidents import Urgency
from schemas.messages import MessageKind
from schemas.tables.incidents import acknowledgement, incident, incident_decision, incident_escalation
from schemas.vocabulary import Jurisdiction, Tier

_INCIDENT = incident.c
_TIMER = incident_escalation.c
_ACK = acknowledgement.c
_DECISION = incident_decision.c

FIRST_DAY: Final = timedelta(days=1)
AFTER_FIRST_DAY: Final = timedelta(hours=24)
"""A round that nobody answered for a day repeats daily: it is by then a matter for the office, and still not silent."""


def next_due(connection: Connection) -> datetime | None:
    """Return when the next escalation step, lapse or request to close is due; None if none is."""
    moments = connection.execute(select(func.min(_TIMER.next_at), func.min(_TIMER.ask_close_at))).one()
    return min((moment for moment in moments if moment is not None), default=None)


def due_incidents(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Return the incidents whose timer is due, the longest due first."""
    rows = connection.execute(
        select(_TIMER.incident_id).where(_TIMER.next_at <= now).order_by(_TIMER.next_at, _TIMER.incident_id)
    )
    return tuple(rows.scalars())


def run_due(database: Database, now: datetime, *, desk: Desk) -> int:
    """Take every step that is due, each in its own transaction; return how many were taken."""
    with database.read() as connection:
        stepping = due_incidents(connection, now)
        asking = connection.execute(
            select(_TIMER.incident_id)
            .where(_TIMER.ask_close_at <= now)
            .order_by(_TIMER.ask_close_at, _TIMER.incident_id)
        ).scalars()
        closing = tuple(asking)
    for incident_id in stepping:
        with database.write() as connection:
            take_step(connection, incident_id, now, desk=desk)
    for incident_id in closing:
        with database.write() as connection:
            _ask_to_close(connection, incident_id, now, desk)
    return len(stepping) + len(closing)


class EscalationJob:
    """The engine's job: steps, lapses and requests to close, on whichever clock drives it."""

    name = "escalation"

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    def next_due(self, now: datetime) -> datetime | None:  # noqa: ARG002 (the engine asks every job alike)
        """Return when it is next due; None while nothing is."""
        with self._database.read() as connection:
            return next_due(connection)

    def run(self, now: datetime) -> None:
        """Take every step that is due."""
        run_due(self._database, now, desk=self._desk)


def take_step(connection: Connection, incident_id: str, now: datetime, *, desk: Desk) -> None:
    """Take the step of ``incident_id`` that is due, if it still is; set when the next one will be.

    Harmless if another process took it first: the timer is read again under the jurisdiction's lock.
    """
    jurisdiction = connection.execute(
        select(_TIMER.jurisdiction).where(_TIMER.incident_id == incident_id)
    ).scalar_one()
    hold(connection, Jurisdiction(jurisdiction))
    row = connection.execute(
        select(incident_escalation, _INCIDENT.tier, _INCIDENT.urgency, _DECISION.closed_at)
        .join(incident, _INCIDENT.id == _TIMER.incident_id)
        .outerjoin(incident_decision, _DECISION.incident_id == _TIMER.incident_id)
        .where(_TIMER.incident_id == incident_id)
    ).one()
    if row.next_at is None or row.next_at > now:
        return
    if row.closed_at is not None or Tier(row.tier) is not Tier.PAGE:
        _set_timer(connection, incident_id, next_at=None)
        return
    urgency = Urgency(row.urgency)
    may_ring_at = ring_time(urgency, now, desk.settings)
    if may_ring_at > now:
        _set_timer(connection, incident_id, next_at=may_ring_at)
        return
    holders = holders_of(connection, incident_id, row.notice)
    held_until = max((holder.review_by for holder in holders), default=None)
    if held_until is not None and held_until > now:
        _set_timer(connection, incident_id, next_at=held_until)
        return
    policy = EscalationPolicy.model_validate(row.policy)
    if holders:
        _lapse(connection, row, holders, now, desk)
        pause = _pause_after(policy, 1)
        _set_timer(connection, incident_id, next_at=ring_time(urgency, now + pause, desk.settings))
        return
    _page(connection, row, policy, now, desk)


def _page(connection: Connection, row: Row[Any], policy: EscalationPolicy, now: datetime, desk: Desk) -> None:
    """Tell the people of the step, and set the timer for the next."""
    number = row.steps_taken
    step = policy.steps[min(number, len(policy.steps) - 1)]
    kind = MessageKind.PAGE if number == 0 else MessageKind.REMINDER
    jurisdiction = Jurisdiction(row.jurisdiction)
    whom = [*_named(connection, jurisdiction, step, now, desk)]
    if number == 0:  # whoever had it before it got worse
        whom += [holder.person for holder in holders_of(connection, row.incident_id, row.notice - 1)]
    if number and not outbox.may_have_reached(
        connection, row.incident_id, row.notice, desk, besides=desk.settings.fallback.person
    ):
        whom.append(desk.settings.fallback.person)  # nobody whom the policy names could be reached so far
    people = resolve(connection, whom, desk)
    unanswered_since = _unanswered_since(connection, row)
    opening = (
        "Please acknowledge."
        if number == 0
        else f"Nobody has acknowledged this since {moment_words(unanswered_since)}. Please acknowledge."
    )
    cards = cards_for(connection, row.incident_id, now, desk=desk, before=(opening,))
    owed = outbox.Owed(
        jurisdiction, row.incident_id, kind, row.notice, f"page:{row.incident_id}:{row.notice}:{number}"
    )
    for person in people:
        outbox.post(connection, owed, person, cards, now, desk=desk)
    audit.append(
        connection,
        jurisdiction,
        SYSTEM,
        now,
        action="escalation_step",
        subject=("incident", row.incident_id),
        detail={"notice": row.notice, "step": number, "people": sorted(person.id for person in people)},
    )
    pause = _pause_after(policy, number)
    if now - unanswered_since >= FIRST_DAY:
        pause = AFTER_FIRST_DAY
    next_at = ring_time(Urgency(row.urgency), now + pause, desk.settings)
    _set_timer(connection, row.incident_id, steps_taken=number + 1, next_at=next_at)


def _unanswered_since(connection: Connection, row: Row[Any]) -> datetime:
    """Return since when nobody has the incident: its notice, or the end of the last acknowledgement of it."""
    ended = connection.execute(
        select(func.max(_ACK.lapsed_at), func.max(_ACK.undone_at)).where(
            _ACK.incident_id == row.incident_id, _ACK.notice == row.notice
        )
    ).one()
    since: datetime = max(moment for moment in (row.noticed_at, *ended) if moment is not None)
    return since


def _pause_after(policy: EscalationPolicy, step: int) -> timedelta:
    """Return how long to wait after step number ``step`` (0 is the first)."""
    if step + 1 < len(policy.steps):
        return timedelta(minutes=policy.steps[step + 1].after_minutes - policy.steps[step].after_minutes)
    return timedelta(minutes=policy.repeat_every_minutes)


def _lapse(
    connection: Connection, row: Row[Any], holders: Sequence[Row[Any]], now: datetime, desk: Desk
) -> None:
    """Say to whoever had it, and to whoever is on call now, that the review-by has passed."""
    for holder in holders:
        connection.execute(update(acknowledgement).where(_ACK.id == holder.id).values(lapsed_at=now))
    jurisdiction = Jurisdiction(row.jurisdiction)
    whom = [*(holder.person for holder in holders), *on_call_at(connection, jurisdiction, now)]
    names = " and ".join(person.name for person in resolve(connection, [h.person for h in holders], desk))
    before = (f"The review-by of {names} has passed. Please acknowledge again, or close it.",)
    cards = cards_for(connection, row.incident_id, now, desk=desk, before=before)
    owed = outbox.Owed(
        jurisdiction,
        row.incident_id,
        MessageKind.LAPSED,
        row.notice,
        f"lapsed:{row.incident_id}:{row.notice}:{holders[-1].id}",
    )
    for person in resolve(connection, whom, desk):
        outbox.post(connection, owed, person, cards, now, desk=desk)
    audit.append(
        connection,
        jurisdiction,
        SYSTEM,
        now,
        action="acknowledgement_lapsed",
        subject=("incident", row.incident_id),
        detail={"notice": row.notice, "people": sorted(holder.person for holder in holders)},
    )


def _ask_to_close(connection: Connection, incident_id: str, now: datetime, desk: Desk) -> None:
    """Ask once, in the morning, whether an incident without new evidence may be closed."""
    jurisdiction = Jurisdiction(
        connection.execute(select(_TIMER.jurisdiction).where(_TIMER.incident_id == incident_id)).scalar_one()
    )
    hold(connection, jurisdiction)
    row = connection.execute(
        select(incident_escalation, _DECISION.closed_at)
        .outerjoin(incident_decision, _DECISION.incident_id == _TIMER.incident_id)
        .where(_TIMER.incident_id == incident_id)
    ).one()
    if row.ask_close_at is None or row.ask_close_at > now:
        return
    may_ask_at = ring_time(Urgency.MORNING, now, desk.settings)
    if may_ask_at > now and row.closed_at is None:
        _set_timer(connection, incident_id, ask_close_at=may_ask_at)
        return
    _set_timer(connection, incident_id, ask_close_at=None)
    if row.closed_at is not None:
        return
    days = desk.settings.ask_to_close_after_days
    cards = cards_for(
        connection,
        incident_id,
        now,
        desk=desk,
        before=(f"No new evidence for {days} days. May it be closed?",),
    )
    owed = outbox.Owed(
        jurisdiction,
        incident_id,
        MessageKind.ASK_CLOSE,
        row.notice,
        f"ask_close:{incident_id}:{now:%Y-%m-%d}",
    )
    whom = people_with(connection, jurisdiction, Role.COORDINATOR) or on_call_at(
        connection, jurisdiction, now
    )
    for person in resolve(connection, whom, desk):
        outbox.post(connection, owed, person, cards, now, desk=desk)


def hurry(connection: Connection, incident_id: str, notice: int, now: datetime, *, desk: Desk) -> None:
    """Take the next step at once: a page of this notice cannot reach its reader.

    Only while the policy has steps that were not yet taken, or once more if all of them reached nobody: the fallback
    contact is then told. A repeat that fails as well gains nothing by haste.
    """
    row = connection.execute(select(incident_escalation).where(_TIMER.incident_id == incident_id)).one()
    steps = EscalationPolicy.model_validate(row.policy).steps
    if row.notice != notice or row.next_at is None or row.next_at <= now:
        return
    if row.steps_taken < len(steps) or (
        row.steps_taken == len(steps) and not outbox.may_have_reached(connection, incident_id, notice, desk)
    ):
        _set_timer(connection, incident_id, next_at=now)


def ring_now(connection: Connection, incident_id: str, now: datetime, *, desk: Desk) -> None:
    """Take the step that waits for the morning, if it does: the incident has become urgent in the night."""
    row = connection.execute(select(incident_escalation).where(_TIMER.incident_id == incident_id)).one()
    if row.next_at is None or row.next_at <= now or not is_quiet(now, desk.settings):
        return
    if row.next_at == ring_time(Urgency.MORNING, now, desk.settings) and not holders_of(
        connection, incident_id, row.notice
    ):
        _set_timer(connection, incident_id, next_at=now, **({} if row.steps_taken else {"noticed_at": now}))
        take_step(connection, incident_id, now, desk=desk)


def resume(connection: Connection, incident_id: str, now: datetime) -> None:
    """Let the round go on at once, if nobody holds it: an acknowledgement was undone."""
    row = connection.execute(
        select(incident_escalation, _INCIDENT.tier)
        .join(incident, _INCIDENT.id == _TIMER.incident_id)
        .where(_TIMER.incident_id == incident_id)
    ).one()
    if Tier(row.tier) is not Tier.PAGE:
        return
    holders = holders_of(connection, incident_id, row.notice)
    held_until = max((holder.review_by for holder in holders), default=now)
    _set_timer(connection, incident_id, next_at=max(held_until, now))


def hold_until(connection: Connection, incident_id: str, review_by: datetime) -> None:
    """Put later steps off until ``review_by``: somebody has it."""
    connection.execute(
        update(incident_escalation)
        .where(_TIMER.incident_id == incident_id, _TIMER.next_at.is_not(None))
        .values(next_at=review_by)
    )


def stop(connection: Connection, incident_id: str) -> None:
    """End the round: the incident was closed."""
    _set_timer(connection, incident_id, next_at=None, ask_close_at=None)


def holders_of(connection: Connection, incident_id: str, notice: int) -> Sequence[Row[Any]]:
    """Return the acknowledgements of a notice that still stand, oldest first."""
    return connection.execute(
        select(acknowledgement)
        .where(
            _ACK.incident_id == incident_id,
            _ACK.notice == notice,
            _ACK.undone_at.is_(None),
            _ACK.lapsed_at.is_(None),
        )
        .order_by(_ACK.acknowledged_at, _ACK.id)
    ).all()


def resolve(connection: Connection, whom: Sequence[str], desk: Desk) -> list[Person]:
    """Return the people behind these ids, each once; the fallback contact if that leaves nobody who can be reached."""
    people = {
        person.id: person for name in whom if (person := find_person(connection, desk, name)) is not None
    }
    if not any(outbox.can_be_reached(person, desk) for person in people.values()):
        fallback = find_person(connection, desk, desk.settings.fallback.person)
        if fallback is not None:
            people[fallback.id] = fallback
    return list(people.values())


def _named(
    connection: Connection, jurisdiction: Jurisdiction, step: EscalationStep, now: datetime, desk: Desk
) -> Sequence[str]:
    """Return the ids of the people that a step names, as things stand now."""
    named: list[str] = []
    for whom in step.whom:
        if whom == "on_call":
            named += on_call_at(connection, jurisdiction, now) or (desk.settings.fallback.person,)
        elif whom == "fallback":
            named.append(desk.settings.fallback.person)
        else:
            named.append(whom.removeprefix("person:"))
    return named


def _set_timer(connection: Connection, incident_id: str, **values: object) -> None:
    connection.execute(update(incident_escalation).where(_TIMER.incident_id == incident_id).values(**values))
