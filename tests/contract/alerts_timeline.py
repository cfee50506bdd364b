"""A timeline for tests of the people side: move a virtual clock, hand over signals, expect messages and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import insert

from alerts import people
from alerts.acknowledge import acknowledge, close_incident, undo_acknowledgement
from alerts.attach import attach_or_open, on_evidence_withdrawn
from alerts.channels import PermanentFailure
from alerts.desk import Desk
from alerts.jobs import people_jobs
from alerts.reading import get_incident
from alerts.settings import (
    AlertsSettings,
    ChannelSettings,
    ConsoleLogSettings,
    Contact,
    EmailSettings,
    LinkSettings,
)
from schemas.authorise import Authentication, Principal, Role
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.incidents import Acknowledgement, Incident, Outcome
from schemas.messages import Message, Receipt
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.tables.people import rota_shift
from schemas.vocabulary import Feed, Jurisdiction, Tier
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

KENT = Jurisdiction("kent-and-medway")
THANET = AreaCode("E07000114")
CANTERBURY = AreaCode("E07000106")
MEDWAY = AreaCode("E06000035")
DARTFORD = AreaCode("E07000107")
_GEOGRAPHY = load_kent_and_medway()
WHOLE = _GEOGRAPHY.root


def at(text: str) -> datetime:
    """A moment of UTC, such as "2018-01-22 12:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOON = at("2018-01-22 12:00")  # a Monday


def signal(**changes: object) -> Signal:
    """A page-tier signal of naloxone in Thanet on 21 and 22 January 2018, with changes."""
    content: dict[str, object] = {
        "jurisdiction": KENT,
        "detector": "area_counts",
        "family": "area_counts",
        "key": "thanet",
        "areas": (THANET,),
        "window_start": date(2018, 1, 21),
        "window_end": date(2018, 1, 22),
        "feeds": (FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=5, expected=0.4),),
        "substance_class": SubstanceClass.UNKNOWN_OPIOID,
        "observed": 5,
        "expected": 0.4,
        "interval": (0.0, 2.0),
        "p_value": 0.0001,
        "recurrence_interval_days": 900.0,
        "tier": Tier.PAGE,
        "newest_evidence_at": at("2018-01-22 10:00"),
        "model_version": "test",
        "sentence": "Thanet: 5 against 0.4 expected.",
    }
    return Signal.model_validate(content | changes)


def two_feeds(**changes: object) -> Signal:
    """A page-tier signal of two feeds: one that rings at night."""
    feeds = (
        FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=3, expected=0.2),
        FeedEvidence(feed=Feed.ED_PRESENTATIONS, observed=2, expected=0.2),
    )
    return signal(**({"feeds": feeds} | changes))


def settings(**changes: object) -> AlertsSettings:
    content: dict[str, object] = {
        "fallback": Contact(person="fallback", name="Duty director", email="fallback@example.org"),
        "links": LinkSettings(base_url="http://localhost:8321", secret=SecretStr("s" * 40)),
        "channels": ChannelSettings(
            console_log=ConsoleLogSettings(enabled=False),
            email=EmailSettings(host="localhost", sender="tocsin@example.org", security="none"),
        ),
    }
    return AlertsSettings.model_validate(content | changes)


@dataclass
class Mailbox:
    """A channel that keeps what it was given, and fails on demand."""

    clock: VirtualClock
    name: str = "email"
    messages: list[Message] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    def send(self, message: Message) -> Receipt:
        if message.recipient in self.refuse:
            raise PermanentFailure("smtp_550")
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)
        return Receipt(reference="kept")


class Timeline:
    """One database, one virtual clock, one mailbox; Asha is on call until 20:00 and Ben after that."""

    def __init__(self, database: SqlDatabase, start: datetime = NOON, **changes: object) -> None:
        self.database = database
        self.clock = VirtualClock(start)
        self.desk = Desk(settings(**changes), {KENT: _GEOGRAPHY})
        self.mailbox = Mailbox(self.clock)
        self.jobs = people_jobs(database, self.desk, self.clock, {"email": self.mailbox})
        self.sender = self.jobs[1]
        self._seen = 0
        operator = Principal(person="operator", authenticated_by=Authentication.SHELL, roles={})
        day = timedelta(days=1)
        with database.write() as connection:
            for name in ("asha", "ben", "cora"):
                person = people.Person(name, name.title(), f"{name}@example.org")
                people.save_person(connection, person, start)
                role = Role.COORDINATOR if name == "cora" else Role.ON_CALL
                people.grant(connection, KENT, name, role, by=operator, now=start)
            shifts = []
            for number in range(-3, 60):
                morning = at("2018-01-22 08:00") + number * day
                evening = morning + timedelta(hours=12)
                for person_id, begins, ends in (("asha", morning, evening), ("ben", evening, morning + day)):
                    times = {"starts_at": begins, "ends_at": ends}
                    shifts.append({"jurisdiction": KENT, "person": person_id} | times)
            connection.execute(insert(rota_shift), shifts)

    def principal(self, person: str, by: Authentication = Authentication.SESSION) -> Principal:
        with self.database.read() as connection:
            found = people.principal_of(connection, self.desk, person, by)
        assert found is not None
        return found

    def signals(self, *signals: Signal) -> tuple[str, ...]:
        with self.database.write() as connection:
            touched = attach_or_open(connection, signals, self.clock.now(), desk=self.desk)
        self.run()
        return touched

    def acknowledge(
        self, incident_id: str, person: str, review_by: datetime | None = None, **how: Authentication
    ) -> Acknowledgement:
        principal = self.principal(person, **how)
        with self.database.write() as connection:
            given = acknowledge(
                connection, incident_id, principal, self.clock.now(), review_by, desk=self.desk
            )
        self.run()
        return given

    def undo(self, incident_id: str, by: str, person: str | None = None) -> None:
        principal = self.principal(by)
        with self.database.write() as connection:
            undo_acknowledgement(connection, incident_id, principal, self.clock.now(), person=person)
        self.run()

    def close(self, incident_id: str, by: str = "cora") -> None:
        principal = self.principal(by)
        with self.database.write() as connection:
            close_incident(connection, incident_id, principal, self.clock.now(), outcome=Outcome.NO_ACTION)

    def withdraw(self, *identities: str) -> None:
        with self.database.write() as connection:
            on_evidence_withdrawn(connection, identities, self.clock.now(), desk=self.desk)
        self.run()

    def incident(self, incident_id: str) -> Incident:
        with self.database.read() as connection:
            found = get_incident(connection, incident_id)
        assert found is not None
        return found

    def run(self) -> None:
        """Run whatever is due now."""
        self.advance_to(self.clock.now())

    def advance_to(self, moment: datetime) -> None:
        """Run the jobs at each moment at which one is due, up to and including ``moment``."""
        for _ in range(10_000):
            now = self.clock.now()
            dues = [
                (due, job) for job in self.jobs if (due := job.next_due(now)) is not None and due <= moment
            ]
            if not dues:
                break
            due, job = min(dues, key=lambda pair: pair[0])
            self.clock.move_to(due)
            job.run(self.clock.now())
        else:
            raise AssertionError("a job is stuck: it is due for ever")
        self.clock.move_to(moment)

    def after(self, **span: float) -> None:
        self.advance_to(self.clock.now() + timedelta(**span))

    def sent(self) -> list[tuple[str, str, str]]:
        """What was sent since this was last asked: (UTC time, kind, recipient), in order of time and name."""
        new: Sequence[Message] = self.mailbox.messages[self._seen :]
        self._seen = len(self.mailbox.messages)
        return sorted((f"{item.sent_at:%d %H:%M}", item.kind.value, item.recipient) for item in new)
