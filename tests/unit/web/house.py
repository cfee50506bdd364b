"""A whole web application on a SQLite file, with a clock that stands until it is moved and a mailbox that remembers."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from alerts.attach import attach_or_open
from alerts.desk import Desk
from alerts.people import Person, grant, save_person
from alerts.settings import AlertsSettings, ChannelSettings, Contact, LinkSettings
from schemas.authorise import SYSTEM, Role
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams.log.embedded import EmbeddedLog
from streams.profile import JurisdictionProfile
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.metrics import Metrics
from tocsin.web.app import create_app
from tocsin.web.services import WebServices

KENT = Jurisdiction("kent-and-medway")
ELSEWHERE = Jurisdiction("elsewhere")
NOW = datetime(2018, 1, 29, 2, 0, tzinfo=UTC)
BASE_URL = "http://tocsin.test"


@dataclass
class Mailbox:
    """The sign-in links that were mailed."""

    links: list[tuple[Person, str, datetime]] = field(default_factory=list)

    def take(self, person: Person, url: str, until: datetime) -> None:
        self.links.append((person, url, until))


class InProcess(httpx.BaseTransport):
    """Hands a request to the application as a server would, and waits for all of the answer."""

    def __init__(self, app: FastAPI, host: str) -> None:
        self._app = httpx.ASGITransport(app=app, client=(host, 40000))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            answer = await self._app.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(ask())


@dataclass
class House:
    """The application and the parts that tests reach past it for."""

    app: FastAPI
    services: WebServices
    database: SqlDatabase
    clock: VirtualClock
    log: EmbeddedLog
    mailbox: Mailbox
    readiness: dict[str, bool]

    def client(self, host: str = "203.0.113.7") -> httpx.Client:
        """A browser of its own at some address."""
        return httpx.Client(transport=InProcess(self.app, host), base_url=BASE_URL)

    def person(self, name: str, *roles: Role, place: Jurisdiction = KENT) -> Person:
        """Register somebody with roles."""
        person = Person(name, name.replace("-", " ").title(), f"{name}@example.org")
        with self.database.write() as connection:
            save_person(connection, person, self.clock.now())
            for role in roles:
                grant(connection, place, name, role, by=SYSTEM, now=self.clock.now())
        return person

    def signed_in(self, name: str, *roles: Role, place: Jurisdiction = KENT) -> httpx.Client:
        """A browser in which somebody with these roles is signed in."""
        person = self.person(name, *roles, place=place)
        client = self.client()
        assert client.post("/sign-in", data={"email": person.email}).status_code == 200
        path = self.mailbox.links[-1][1].removeprefix(BASE_URL)
        assert client.post(path).status_code == 303
        return client

    def incident(self, place: Jurisdiction = KENT, **changes: object) -> str:
        """Open an incident of three naloxone administrations in Thanet; return its id."""
        now = self.clock.now()
        with self.database.write() as connection:
            return attach_or_open(connection, [signal(place, **changes)], now, desk=self.services.desk)[0]


def signal(place: Jurisdiction = KENT, **changes: object) -> Signal:
    """A signal of 13 in Thanet, where two were expected: a figure that no safe text holds."""
    content: dict[str, object] = {
        "jurisdiction": place,
        "detector": "area_counts",
        "family": "area_counts",
        "key": "E07000114",
        "areas": (AreaCode("E07000114"),),
        "window_start": date(2018, 1, 28),
        "window_end": date(2018, 1, 29),
        "feeds": (
            FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=13, expected=0.43),
            FeedEvidence(feed=Feed.SUSPECTED_DEATHS, observed=3, expected=0.06),
        ),
        "substance_class": SubstanceClass.UNKNOWN_OPIOID,
        "observed": 16,
        "expected": 0.49,
        "interval": (0, 3),
        "p_value": 1e-9,
        "recurrence_interval_days": 4_000,
        "tier": Tier.PAGE,
        "newest_evidence_at": NOW,
        "serious_outcome": True,
        "model_version": "test",
        "sentence": "16 events in Thanet in 2 days where 0.49 were expected.",
    }
    return Signal.model_validate(content | changes)


def form_token(page: str) -> str:
    """The value that the forms of a page carry."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def make_house(database: SqlDatabase, **changes: object) -> House:
    clock = VirtualClock(NOW)
    mailbox = Mailbox()
    readiness = {"database": True, "migrations": True, "reader": True}
    geography = load_kent_and_medway()
    places = {KENT: geography, ELSEWHERE: geography}
    settings = AlertsSettings(
        fallback=Contact(person="fallback", name="The Fallback", email="fallback@example.org"),
        channels=ChannelSettings(),
        links=LinkSettings(base_url=BASE_URL, secret=SecretStr("a secret that only this test knows, ever")),
    )
    log = EmbeddedLog(database)
    parts: dict[str, object] = {
        "database": database,
        "clock": clock,
        "event_log": log,
        "profiles": {
            KENT: JurisdictionProfile(KENT, "Kent and Medway", geography),
            ELSEWHERE: JurisdictionProfile(ELSEWHERE, "Elsewhere", geography),
        },
        "desk": Desk(settings, places),
        "metrics": Metrics(),
        "readiness": lambda: readiness,
        "send_sign_in_link": mailbox.take,
        "cookie_secure": False,
        "metrics_token": SecretStr("the-metrics-token"),
    }
    services = WebServices(**(parts | changes))  # type: ignore[arg-type]
    return House(create_app(services), services, database, clock, log, mailbox, readiness)
