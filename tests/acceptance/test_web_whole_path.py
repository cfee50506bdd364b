"""From records sent over HTTP to an acknowledged incident: the real house on a virtual clock, seen only from outside.

The partner posts, the log is drained, the jobs run, the page goes out by the console's own channel, the officer follows
the link that the message carried, and the console shows who has it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from alerts.channels import Channel
from alerts.desk import Desk
from alerts.jobs import people_jobs
from alerts.people import Person, Shift, add_shift, grant, save_person
from alerts.reading import list_incidents
from alerts.settings import AlertsSettings, Contact, LinkSettings
from schemas.authorise import SYSTEM, Authentication, Role
from schemas.clock import Clock
from schemas.messages import Message, Receipt
from schemas.vocabulary import Feed, Jurisdiction
from streams.settings import JurisdictionSettings
from tests.unit.web.house import BASE_URL, InProcess, Mailbox, form_token
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.engine import Job
from tocsin.metrics import Metrics
from tocsin.settings import Settings
from tocsin.web.api_keys import create_api_key
from tocsin.web.app import create_app
from tocsin.web.services import WebServices
from tocsin.wiring import House, build

KENT = Jurisdiction("kent-and-medway")
START = datetime(2018, 1, 22, 14, 0, tzinfo=UTC)
SCENE = "a-keyed-hash-of-one-address-0001"


class Post:
    """A channel that keeps what it was given."""

    name = "console_log"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Receipt:
        self.messages.append(message)
        return Receipt()


class World:
    """The house, its web application and the people outside."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(START)
        self.post = Post()
        self.mailbox = Mailbox()
        settings = Settings(
            database_url=SecretStr(f"sqlite:///{folder / 'tocsin.db'}"),
            jurisdictions={KENT: JurisdictionSettings(name="Kent and Medway")},
            alerts=AlertsSettings(
                fallback=Contact(person="fallback", name="The Fallback"),
                links=LinkSettings(
                    base_url=BASE_URL, secret=SecretStr("known to this test and to nobody else")
                ),
            ),
        )
        self.house: House = build(settings, self.clock, owner="test", people=self._people)
        services = WebServices(
            database=self.house.database,
            clock=self.clock,
            event_log=self.house.log,
            profiles=self.house.profiles,
            desk=self.house.desk,
            metrics=self.house.metrics,
            readiness=dict,
            send_sign_in_link=self.mailbox.take,
            cookie_secure=False,
        )
        self.app = create_app(services)
        with self.house.database.write() as connection:
            save_person(connection, Person("officer", "The Officer", "officer@example.org"), START)
            grant(connection, KENT, "officer", Role.ON_CALL, by=SYSTEM, now=START)
            shift = Shift(KENT, "officer", START - timedelta(hours=1), START + timedelta(days=7))
            add_shift(connection, shift, by=SYSTEM, now=START)
            self.key = create_api_key(
                connection,
                jurisdiction=KENT,
                feed=Feed.AMBULANCE_NALOXONE,
                organisation=None,
                may_backfill=False,
                by="shell",
                now=START,
            )[1]

    def _people(self, database: SqlDatabase, desk: Desk, clock: Clock, _: Metrics) -> Sequence[Job]:
        channels: dict[str, Channel] = {self.post.name: self.post}
        return people_jobs(database, desk, clock, channels)

    def browser(self) -> httpx.Client:
        return httpx.Client(transport=InProcess(self.app, "203.0.113.7"), base_url=BASE_URL)

    def send(self, body: bytes) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        return self.browser().post("/api/v1/feeds/ambulance-naloxone/events", content=body, headers=headers)

    def work(self) -> None:
        """Take in what arrived and do everything that is due now."""
        self.house.log.drain(self.house.intake.handle)
        for job in self.house.jobs:
            due = job.next_due(self.clock.now())
            if due is not None and due <= self.clock.now():
                job.run(self.clock.now())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.house.close()


def records(number: int) -> bytes:
    """Administrations at one address, ten minutes apart."""
    lines = [
        {
            "event_id": f"call-{n}",
            "source": {"organisation": "secamb"},
            "occurred_at": (START - timedelta(minutes=90 - 10 * n)).isoformat(),
            "areas": {"event": "E07000114"},
            "scene": SCENE,
            "suspected": ["spice"],
        }
        for n in range(number)
    ]
    return "\n".join(json.dumps(line) for line in lines).encode()


def settle(world: World, done: Callable[[], bool], *, within: timedelta) -> None:
    """Let time pass, a minute at a time, until something has happened."""
    end = world.clock.now() + within
    while not done() and world.clock.now() < end:
        world.work()
        world.clock.move_to(world.clock.now() + timedelta(minutes=1))
    assert done()


def test_a_household_cluster_sent_over_http_is_paged_and_acknowledged_from_the_message(world: World) -> None:
    answer = world.send(records(9))
    assert answer.json() == {"accepted": 9, "quarantined": 0, "problems": []}
    settle(world, lambda: bool(world.post.messages), within=timedelta(hours=1))

    message = world.post.messages[0]
    assert message.recipient == "officer"
    assert message.acknowledge_url is not None
    link = message.acknowledge_url.removeprefix(BASE_URL)
    shown = world.browser().get(link)
    assert "Thanet" in shown.text
    assert "I have it" in shown.text
    assert "You have it until" in world.browser().post(link).text

    with world.house.database.read() as connection:
        (incident,) = list_incidents(connection, [KENT])
    (acknowledgement,) = incident.held_by
    assert (acknowledgement.person, acknowledgement.authenticated_by) == (
        "officer",
        Authentication.EMAIL_LINK,
    )

    console = world.browser()
    console.post("/sign-in", data={"email": "officer@example.org"})
    console.post(world.mailbox.links[-1][1].removeprefix(BASE_URL))
    page = console.get(f"/incidents/{incident.id}").text
    assert "The Officer has it until" in page
    assert "9 cases" in page
    assert re.search(r"Mon 22 Jan 2018 .*?<td class=\"number\">9</td>", page, re.DOTALL)
    undone = console.post(f"/incidents/{incident.id}/undo", data={"form_token": form_token(page)})
    assert undone.status_code == 303
    assert "Undone" in console.get(f"/incidents/{incident.id}").text


def test_the_same_delivery_sent_three_times_counts_once(world: World) -> None:
    for _ in range(3):
        assert world.send(records(9)).json()["accepted"] == 9
    world.work()
    console = world.browser()
    console.post("/sign-in", data={"email": "officer@example.org"})
    console.post(world.mailbox.links[-1][1].removeprefix(BASE_URL))
    page = console.get("/feeds").text
    assert '<td class="number">9</td>' in page
    assert '<td class="number">18</td>' in page
    exposed = world.house.metrics.exposition().decode()
    assert 'tocsin_records_accepted_total{feed="ambulance-naloxone"} 9.0' in exposed
    assert 'tocsin_records_repeated_total{feed="ambulance-naloxone",kind="duplicate"} 18.0' in exposed
