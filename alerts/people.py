"""People, their roles and the rota: who exists, what they may do, who is on call.

The command line and the console write these; escalation and the sender read them. The fallback contact comes from the
settings and is always there, whatever the tables say.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from alerts import audit
from alerts.desk import Desk
from alerts.serialise import insert_missing
from schemas.authorise import Authentication, Principal, Role
from schemas.tables.people import person as person_table
from schemas.tables.people import person_role, rota_shift, spent_link
from schemas.vocabulary import Jurisdiction

_PERSON = person_table.c
_ROLE = person_role.c
_SHIFT = rota_shift.c
_SPENT = spent_link.c


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be told of an incident or sign in."""

    id: str
    name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Shift:
    """One person's time on call: from ``starts_at`` up to, and not including, ``ends_at``."""

    jurisdiction: Jurisdiction
    person: str
    starts_at: datetime
    ends_at: datetime


def save_person(connection: Connection, person: Person, now: datetime) -> None:
    """Add a person, or change their name and address."""
    values = {"name": person.name, "email": person.email, "active": True, "changed_at": now}
    if not insert_missing(connection, person_table, [{"id": person.id, **values}]):
        connection.execute(update(person_table).where(_PERSON.id == person.id).values(**values))


def grant(
    connection: Connection,
    jurisdiction: Jurisdiction,
    person: str,
    role: Role,
    *,
    by: Principal,
    now: datetime,
) -> None:
    """Give a person a role in a jurisdiction; having it already is no error."""
    row = {"person": person, "jurisdiction": jurisdiction, "role": role.value, "granted_at": now}
    if insert_missing(connection, person_role, [row]):
        detail = {"role": role.value}
        audit.append(
            connection,
            jurisdiction,
            by,
            now,
            action="role_granted",
            subject=("person", person),
            detail=detail,
        )


def withdraw_role(
    connection: Connection,
    jurisdiction: Jurisdiction,
    person: str,
    role: Role,
    *,
    by: Principal,
    now: datetime,
) -> None:
    """Take a role from a person; not having it is no error."""
    taken = connection.execute(
        delete(person_role).where(
            _ROLE.person == person, _ROLE.jurisdiction == jurisdiction, _ROLE.role == role.value
        )
    )
    if taken.rowcount:
        detail = {"role": role.value}
        audit.append(
            connection,
            jurisdiction,
            by,
            now,
            action="role_withdrawn",
            subject=("person", person),
            detail=detail,
        )


def find_person(connection: Connection, desk: Desk, person: str) -> Person | None:
    """Return an active person, or the fallback contact of the settings; nothing for anybody else."""
    row = connection.execute(
        select(person_table).where(_PERSON.id == person, _PERSON.active.is_(True))
    ).one_or_none()
    fallback = desk.settings.fallback
    if row is not None:
        email = row.email or (fallback.email if person == fallback.person else None)
        return Person(row.id, row.name, email)
    if person == fallback.person:
        return Person(fallback.person, fallback.name, fallback.email)
    return None


def find_by_email(connection: Connection, email: str) -> Person | None:
    """Return the active person with this address, whatever its capitals; nothing if there is none."""
    rows = connection.execute(
        select(person_table).where(_PERSON.active.is_(True), _PERSON.email.is_not(None)).order_by(_PERSON.id)
    )
    for row in rows:
        if row.email.casefold() == email.strip().casefold():
            return Person(row.id, row.name, row.email)
    return None


def list_people(connection: Connection) -> list[Person]:
    """Return every active person, by id."""
    rows = connection.execute(select(person_table).where(_PERSON.active.is_(True)).order_by(_PERSON.id))
    return [Person(row.id, row.name, row.email) for row in rows]


def people_with(connection: Connection, jurisdiction: Jurisdiction, role: Role) -> tuple[str, ...]:
    """Return the active people who hold a role in a jurisdiction, by id."""
    rows = connection.execute(
        select(_ROLE.person)
        .join(person_table, _PERSON.id == _ROLE.person)
        .where(_ROLE.jurisdiction == jurisdiction, _ROLE.role == role.value, _PERSON.active.is_(True))
        .order_by(_ROLE.person)
    )
    return tuple(rows.scalars())


def principal_of(connection: Connection, desk: Desk, person: str, by: Authentication) -> Principal | None:
    """Return the principal that a known person is, with their roles; nothing for an unknown person.

    The fallback contact is on call in every jurisdiction, so that whoever was told can acknowledge.
    """
    if find_person(connection, desk, person) is None:
        return None
    roles: dict[Jurisdiction, frozenset[Role]] = {}
    for row in connection.execute(select(_ROLE.jurisdiction, _ROLE.role).where(_ROLE.person == person)):
        name = Jurisdiction(row.jurisdiction)
        roles[name] = roles.get(name, frozenset()) | {Role(row.role)}
    if person == desk.settings.fallback.person:
        for name in desk.places:
            roles[name] = roles.get(name, frozenset()) | {Role.ON_CALL}
    return Principal(person=person, authenticated_by=by, roles=roles)


def add_shift(connection: Connection, shift: Shift, *, by: Principal, now: datetime) -> None:
    """Put a shift on the rota; it replaces one of the same person that begins at the same moment.

    Raises
    ------
    ValueError
        If it ends before it begins.
    """
    if shift.ends_at <= shift.starts_at:
        msg = "A shift must end after it begins."
        raise ValueError(msg)
    remove_shift(connection, shift, by=by, now=now)
    connection.execute(
        insert(rota_shift).values(
            jurisdiction=shift.jurisdiction,
            person=shift.person,
            starts_at=shift.starts_at,
            ends_at=shift.ends_at,
        )
    )
    detail = {"starts_at": shift.starts_at.isoformat(), "ends_at": shift.ends_at.isoformat()}
    audit.append(
        connection,
        shift.jurisdiction,
        by,
        now,
        action="shift_added",
        subject=("person", shift.person),
        detail=detail,
    )


def remove_shift(connection: Connection, shift: Shift, *, by: Principal, now: datetime) -> bool:
    """Take a shift off the rota; return whether it was there."""
    gone = connection.execute(
        delete(rota_shift).where(
            _SHIFT.jurisdiction == shift.jurisdiction,
            _SHIFT.person == shift.person,
            _SHIFT.starts_at == shift.starts_at,
        )
    )
    if gone.rowcount:
        detail = {"starts_at": shift.starts_at.isoformat()}
        audit.append(
            connection,
            shift.jurisdiction,
            by,
            now,
            action="shift_removed",
            subject=("person", shift.person),
            detail=detail,
        )
    return bool(gone.rowcount)


def shifts(connection: Connection, jurisdiction: Jurisdiction, start: datetime, end: datetime) -> list[Shift]:
    """Return the shifts that touch the time from ``start`` to ``end``, by beginning and person."""
    rows = connection.execute(
        select(rota_shift)
        .where(_SHIFT.jurisdiction == jurisdiction, _SHIFT.starts_at < end, _SHIFT.ends_at > start)
        .order_by(_SHIFT.starts_at, _SHIFT.person)
    )
    return [Shift(Jurisdiction(row.jurisdiction), row.person, row.starts_at, row.ends_at) for row in rows]


def on_call_at(connection: Connection, jurisdiction: Jurisdiction, moment: datetime) -> tuple[str, ...]:
    """Return who is on call at ``moment``, by id: nobody, one person, or several whose shifts overlap."""
    rows = connection.execute(
        select(_SHIFT.person)
        .join(person_table, _PERSON.id == _SHIFT.person)
        .where(
            _SHIFT.jurisdiction == jurisdiction,
            _SHIFT.starts_at <= moment,
            _SHIFT.ends_at > moment,
            _PERSON.active.is_(True),
        )
        .distinct()
        .order_by(_SHIFT.person)
    )
    return tuple(rows.scalars())


def spend_link(
    connection: Connection, link: str, purpose: str, *, now: datetime, expires_at: datetime
) -> bool:
    """Use up a link that works once; return whether this was the first time."""
    row = {"id": link, "purpose": purpose, "spent_at": now, "expires_at": expires_at}
    first = insert_missing(connection, spent_link, [row]) == 1
    connection.execute(delete(spent_link).where(_SPENT.expires_at < now))
    return first
