"""What people do to an incident: acknowledge it, undo that, close it.

The console, the acknowledge link and the command line call these, each in a transaction of its own that they open.
Every function asks ``authorise`` first, raises the jurisdiction's revision, and writes the audit trail; nothing is ever
deleted, and nothing is sent here: other people hear of it through the outbox.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from alerts import audit, escalation, outbox, urgency
from alerts.card import moment_words
from alerts.desk import Desk
from alerts.ids import digest
from alerts.people import find_person
from alerts.serialise import hold, insert_missing
from alerts.telling import cards_for
from schemas.authorise import Action, Principal, authorise
from schemas.incidents import Acknowledgement, Outcome, Phase, Verification
from schemas.messages import MessageKind
from schemas.tables.incidents import acknowledgement, incident, incident_decision, incident_escalation
from schemas.vocabulary import Jurisdiction

_INCIDENT = incident.c
_TIMER = incident_escalation.c
_DECISION = incident_decision.c
_ACK = acknowledgement.c

LONGEST_HOLD: Final = timedelta(hours=72)
"""Nobody holds later steps longer than a weekend without saying so again."""


class NoSuchIncidentError(LookupError):
    """There is no incident of this id."""


class IncidentClosedError(ValueError):
    """What was asked is possible only while the incident is open."""


class NothingToUndoError(ValueError):
    """The person has no acknowledgement that stands."""


def acknowledge(
    connection: Connection,
    incident_id: str,
    principal: Principal,
    now: datetime,
    review_by: datetime | None = None,
    *,
    desk: Desk,
) -> Acknowledgement:
    """Record that ``principal`` has the incident until ``review_by``.

    It answers the incident's present notice: it ends that person's reminders and holds later steps until its review-by.
    Others who were already told get one quiet word. Doing it again is harmless; with another ``review_by`` it moves the
    one that stands.

    Parameters
    ----------
    review_by : datetime, optional
        At most 72 hours from now; left out, as the settings say.

    Raises
    ------
    NoSuchIncidentError, IncidentClosedError, ValueError
        With one sentence for the person.
    schemas.authorise.Forbidden
        If the principal may not acknowledge in this jurisdiction.
    """
    row = _open_incident(connection, incident_id, principal, Action.ACKNOWLEDGE)
    jurisdiction = Jurisdiction(row.jurisdiction)
    if review_by is not None and not now < review_by <= now + LONGEST_HOLD:
        msg = "The review-by must lie between now and 72 hours from now."
        raise ValueError(msg)
    holders = escalation.holders_of(connection, incident_id, row.notice)
    mine = next((holder for holder in holders if holder.person == principal.person), None)
    if mine is not None:
        if review_by is None or review_by == mine.review_by:
            return _acknowledgement(mine)
        connection.execute(update(acknowledgement).where(_ACK.id == mine.id).values(review_by=review_by))
        action, made = "review_by_moved", mine.id
    else:
        review_by = review_by or urgency.review_by(now, desk.settings)
        made = _insert(connection, row, principal, now, review_by)
        action = "acknowledged"
    audit.append(
        connection,
        jurisdiction,
        principal,
        now,
        action=action,
        subject=("incident", incident_id),
        detail={"notice": row.notice, "review_by": review_by.isoformat(), "acknowledgement": made},
    )
    _enter_phase(connection, incident_id, Phase.NEW, Phase.ACKNOWLEDGED, now)
    latest = max([review_by, *(holder.review_by for holder in holders if holder.id != made)])
    escalation.hold_until(connection, incident_id, latest)
    if not holders:
        _tell_others(connection, row, principal, made, review_by, now, desk)
    return _acknowledgement(connection.execute(select(acknowledgement).where(_ACK.id == made)).one())


def undo_acknowledgement(
    connection: Connection,
    incident_id: str,
    principal: Principal,
    now: datetime,
    *,
    person: str | None = None,
) -> Acknowledgement:
    """Undo the acknowledgement of ``person`` (left out: the principal's own) that stands; the round goes on at once.

    Raises
    ------
    NoSuchIncidentError, IncidentClosedError, NothingToUndoError
        With one sentence for the person.
    schemas.authorise.Forbidden
        If the principal may not undo this one.
    """
    whose = person or principal.person
    own = whose == principal.person
    row = _open_incident(
        connection, incident_id, principal, Action.UNDO_ACKNOWLEDGEMENT if own else Action.UNDO_ANOTHERS
    )
    holders = escalation.holders_of(connection, incident_id, row.notice)
    standing = next((holder for holder in holders if holder.person == whose), None)
    if standing is None:
        msg = f"{whose} has no acknowledgement of {incident_id} that could be undone."
        raise NothingToUndoError(msg)
    connection.execute(
        update(acknowledgement)
        .where(_ACK.id == standing.id)
        .values(undone_at=now, undone_by=principal.person)
    )
    audit.append(
        connection,
        Jurisdiction(row.jurisdiction),
        principal,
        now,
        action="acknowledgement_undone",
        subject=("incident", incident_id),
        detail={"notice": row.notice, "acknowledgement": standing.id, "person": whose},
    )
    if len(holders) == 1:
        _enter_phase(connection, incident_id, Phase.ACKNOWLEDGED, Phase.NEW, now)
    escalation.resume(connection, incident_id, now)
    return _acknowledgement(connection.execute(select(acknowledgement).where(_ACK.id == standing.id)).one())


def close_incident(
    connection: Connection, incident_id: str, principal: Principal, now: datetime, *, outcome: Outcome
) -> None:
    """Close the incident with an outcome; reminders end, and later evidence opens another, linked to it.

    Raises
    ------
    NoSuchIncidentError, IncidentClosedError, ValueError
        With one sentence for the person.
    schemas.authorise.Forbidden
        If the principal may not close incidents in this jurisdiction.
    """
    row = _open_incident(connection, incident_id, principal, Action.CLOSE_INCIDENT)
    if outcome is Outcome.NONE:
        msg = "Say what came of it: an incident is closed with an outcome."
        raise ValueError(msg)
    _decide(
        connection,
        incident_id,
        now,
        phase=Phase.CLOSED.value,
        outcome=outcome.value,
        closed_at=now,
        closed_by=principal.person,
    )
    escalation.stop(connection, incident_id)
    audit.append(
        connection,
        Jurisdiction(row.jurisdiction),
        principal,
        now,
        action="incident_closed",
        subject=("incident", incident_id),
        detail={"outcome": outcome.value},
    )


def _open_incident(
    connection: Connection, incident_id: str, principal: Principal, action: Action
) -> Row[*tuple[Any, ...]]:
    """Check that the principal may act on it, take the jurisdiction's turn, and return the row if it is open."""
    jurisdiction = connection.execute(
        select(_INCIDENT.jurisdiction).where(_INCIDENT.id == incident_id)
    ).scalar_one_or_none()
    if jurisdiction is None:
        msg = f"There is no incident {incident_id}."
        raise NoSuchIncidentError(msg)
    authorise(principal, action, Jurisdiction(jurisdiction))
    hold(connection, Jurisdiction(jurisdiction))
    row = connection.execute(
        select(_INCIDENT.id, _INCIDENT.jurisdiction, _TIMER.notice, _DECISION.closed_at)
        .join(incident_escalation, _TIMER.incident_id == _INCIDENT.id)
        .outerjoin(incident_decision, _DECISION.incident_id == _INCIDENT.id)
        .where(_INCIDENT.id == incident_id)
    ).one()
    if row.closed_at is not None:
        msg = f"{incident_id} was closed on {moment_words(row.closed_at)}."
        raise IncidentClosedError(msg)
    return row


def _insert(
    connection: Connection,
    row: Row[*tuple[Any, ...]],
    principal: Principal,
    now: datetime,
    review_by: datetime,
) -> str:
    before = connection.execute(
        select(func.count()).select_from(acknowledgement).where(_ACK.incident_id == row.id)
    ).scalar_one()
    # Its number comes first, so that several of one moment keep their order.
    made = f"{before + 1:04d}-{digest('acknowledgement', row.id, before + 1)[:24]}"
    connection.execute(
        insert(acknowledgement).values(
            id=made,
            incident_id=row.id,
            notice=row.notice,
            person=principal.person,
            authenticated_by=principal.authenticated_by.value,
            acknowledged_at=now,
            review_by=review_by,
        )
    )
    return made


def _tell_others(
    connection: Connection,
    row: Row[*tuple[Any, ...]],
    principal: Principal,
    made: str,
    review_by: datetime,
    now: datetime,
    desk: Desk,
) -> None:
    """Owe one quiet word to those who were already told of this notice: somebody has it."""
    others = [name for name in outbox.told_of(connection, row.id, row.notice) if name != principal.person]
    if not others:
        return
    giver = find_person(connection, desk, principal.person)
    name = giver.name if giver is not None else principal.person
    before = (f"{name} has it until {moment_words(review_by)}. You need do nothing.",)
    cards = cards_for(connection, row.id, now, desk=desk, before=before)
    owed = outbox.Owed(
        Jurisdiction(row.jurisdiction), row.id, MessageKind.HAS_IT, row.notice, f"has_it:{made}"
    )
    for other in others:
        person = find_person(connection, desk, other)
        if person is not None:
            outbox.post(connection, owed, person, cards, now, desk=desk)


def _enter_phase(
    connection: Connection, incident_id: str, source: Phase, target: Phase, now: datetime
) -> None:
    """Move on from ``source`` to ``target``; an incident that people have taken further stays where it is."""
    phase = connection.execute(
        select(_DECISION.phase).where(_DECISION.incident_id == incident_id)
    ).scalar_one_or_none()
    if Phase(phase or Phase.NEW) is source:
        _decide(connection, incident_id, now, phase=target.value)


def _decide(connection: Connection, incident_id: str, now: datetime, **values: object) -> None:
    untouched = {
        "incident_id": incident_id,
        "phase": Phase.NEW.value,
        "verification": Verification.UNVERIFIED.value,
        "outcome": Outcome.NONE.value,
        "changed_at": now,
    }
    insert_missing(connection, incident_decision, [untouched])
    connection.execute(
        update(incident_decision).where(_DECISION.incident_id == incident_id).values(changed_at=now, **values)
    )


def _acknowledgement(row: Row[*tuple[Any, ...]]) -> Acknowledgement:
    return Acknowledgement.model_validate(row, from_attributes=True)
