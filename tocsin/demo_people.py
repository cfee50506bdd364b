"""The people of the demo: whom Tocsin tells, and an on-call officer who acts as one would.

:class:`ScriptedOnCall` is a job like any other, so that it acts at its own moments on the virtual clock: it acknowledges
a page some minutes after it came, looks again when an acknowledgement is about to lapse, and closes what turned out to
be nothing. What the officer still holds when the story ends has just lapsed: the visitor is paged, and takes over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from alerts.acknowledge import acknowledge, close_incident
from alerts.desk import Desk
from alerts.people import Person, Shift, add_shift, grant, principal_of, save_person
from alerts.reading import list_incidents, messages_of
from schemas.authorise import Authentication, Principal, Role
from schemas.database import Database
from schemas.incidents import Incident, Outcome
from schemas.messages import MessageKind
from schemas.tables.detection import jurisdiction_state
from schemas.tables.outbox import delivery
from schemas.vocabulary import Jurisdiction, Tier

ON_CALL = Person("amina-okafor", "Dr Amina Okafor", "amina.okafor@example.org")
COORDINATOR = Person("tom-hughes", "Tom Hughes", "tom.hughes@example.org")
EPIDEMIOLOGIST = Person("li-wen", "Li Wen", "li.wen@example.org")

ACKNOWLEDGES_AFTER = timedelta(minutes=12)
HOLDS_FOR = timedelta(hours=20)
_HANDS_OVER = timedelta(minutes=30)
_QUIET_FOR = timedelta(days=4)
"""An incident that still gathers evidence is not closed until it has been quiet for so long."""


@dataclass(frozen=True)
class Cast:
    """Puts the people of the demo into the database."""

    jurisdiction: Jurisdiction

    def enter(self, connection: Connection, start: datetime, end: datetime) -> None:
        """Add people, roles and one long shift."""
        setting_up = Principal(person="shell", authenticated_by=Authentication.SHELL, roles={})
        for person, roles in (
            (ON_CALL, (Role.ON_CALL,)),
            (COORDINATOR, (Role.COORDINATOR,)),
            (EPIDEMIOLOGIST, (Role.EPIDEMIOLOGIST, Role.OPERATOR)),
        ):
            save_person(connection, person, start)
            for role in roles:
                grant(connection, self.jurisdiction, person.id, role, by=setting_up, now=start)
        add_shift(connection, Shift(self.jurisdiction, ON_CALL.id, start, end), by=setting_up, now=start)


class ScriptedOnCall:
    """Acknowledges and closes incidents until ``until``; after that, the visitor is on call."""

    name = "scripted-on-call"

    def __init__(
        self, database: Database, desk: Desk, jurisdiction: Jurisdiction, *, until: datetime
    ) -> None:
        self._database = database
        self._desk = desk
        self._jurisdiction = jurisdiction
        self._until = until
        self._looked_at: tuple[object, ...] | None = None
        self._due: datetime | None = None

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the officer next has something to do: what is overdue once the visitor is on call is theirs."""
        if now >= self._until:
            return None
        with self._database.read() as connection:
            state = self._state(connection)
            if state != self._looked_at:
                moments = [self._acts_at(connection, one) for one in self._open(connection)]
                self._due = min((moment for moment in moments if moment is not None), default=None)
                self._looked_at = state
        return self._due if self._due is not None and self._due < self._until else None

    @staticmethod
    def _state(connection: Connection) -> tuple[object, ...]:
        """Return what changes whenever an incident changes or a message is sent."""
        revision = select(func.sum(jurisdiction_state.c.revision)).scalar_subquery()
        sent = select(func.count(delivery.c.finished_at)).scalar_subquery()
        return tuple(connection.execute(select(revision, sent)).one())

    def run(self, now: datetime) -> None:
        """Do what is due."""
        with self._database.read() as connection:
            acts = [(self._acts_at(connection, one), one) for one in self._open(connection)]
            principal = principal_of(connection, self._desk, ON_CALL.id, Authentication.SESSION)
        if principal is None:
            return
        for at, incident in acts:
            if at is None or at > now:
                continue
            with self._database.write() as connection:
                if now - incident.newest_evidence_at >= _QUIET_FOR:
                    close_incident(connection, incident.id, principal, now, outcome=Outcome.NO_ACTION)
                else:
                    review_by = min(now + HOLDS_FOR, self._until + _HANDS_OVER)
                    acknowledge(connection, incident.id, principal, now, review_by, desk=self._desk)

    def _open(self, connection: Connection) -> list[Incident]:
        return list_incidents(connection, [self._jurisdiction], open_only=True)

    def _acts_at(self, connection: Connection, incident: Incident) -> datetime | None:
        """Return when the officer answers a page, looks again before a review-by, or closes what went quiet."""
        if incident.tier is not Tier.PAGE:
            return incident.newest_evidence_at + _QUIET_FOR
        if incident.held_by:
            return max(one.review_by for one in incident.held_by) - timedelta(minutes=5)
        rang = [
            message.finished_at
            for message in messages_of(connection, incident.id)
            if message.kind == MessageKind.PAGE.value
            and message.notice == incident.notice
            and message.state == "sent"
            and message.finished_at is not None
        ]
        return min(rang) + ACKNOWLEDGES_AFTER if rang else None
