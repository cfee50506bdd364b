"""Crash tests: the service is killed at random moments while records arrive, and nothing that it accepted is lost.

The real service in a process of its own, real HTTP, a real SMTP server; ``SIGKILL`` and start again, many times. Then:
every accepted record is stored once, counts equal a rebuild, every message owed was delivered at least once or says why
not, and the audit chain verifies. Some of the kills hit a service that is only just starting.
"""

import json
import random
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from alerts import audit
from schemas.geography import AreaLevel
from schemas.messages import MessageKind
from schemas.tables.events import event_version
from schemas.tables.incidents import incident
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Tier
from streams import counting
from tests.acceptance.real_service import KENT, Service, pause
from tests.acceptance.warm_start import WarmStart
from tocsin.wiring import profiles_of

pytestmark = pytest.mark.real

BATCH = 20


class Sender:
    """Posts batches until told to stop; a batch that was not answered with 202 is sent again, as partners do."""

    def __init__(self, url: str, key: str, lsoas: list[str], seed: int) -> None:
        self._url = f"{url}/api/v1/feeds/{Feed.AMBULANCE_NALOXONE.value}/events"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._lsoas = lsoas
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.accepted: set[str] = set()
        self.tokens: set[str] = set()
        self.refused: list[str] = []
        self.resent = 0
        self._number = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        with httpx.Client(timeout=5) as client:
            while not self._stop.is_set():
                batch = [self._record() for _ in range(BATCH)]
                if self._random.random() < 0.2:
                    batch += self._scene()
                body = "\n".join(json.dumps(record) for record in batch)
                while not self._stop.is_set():
                    try:
                        answer = client.post(self._url, content=body, headers=self._headers)
                    except httpx.HTTPError:
                        self.resent += 1
                        self._stop.wait(0.1)
                        continue
                    if answer.status_code == 202:
                        self.accepted |= {str(record["event_id"]) for record in batch}
                        break
                    if answer.status_code < 500:
                        self.refused.append(answer.text)
                        return
                    self._stop.wait(0.1)

    def _record(self, **more: object) -> dict[str, object]:
        self._number += 1
        occurred = datetime.now(UTC) - timedelta(minutes=self._random.randrange(1, 60 * 40))
        return {
            "event_id": f"call-{self._number}",
            "source": {"organisation": "secamb"},
            "occurred_at": occurred.isoformat(),
            "areas": {"event": self._random.choice(self._lsoas)},
            "doses": [{"given_by": "ambulance"}],
            **more,
        }

    def _scene(self) -> list[dict[str, object]]:
        """Four people at one place within the hour: a page."""
        place, scene = self._random.choice(self._lsoas), f"scene-{self._number:020d}"
        when = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
        subjects = [f"subject-{self._number}-{n:016d}" for n in range(4)]
        self.tokens |= {scene, *subjects}
        return [
            self._record(areas={"event": place}, scene=scene, occurred_at=when, subject=subject)
            for subject in subjects
        ]


def crash(service: Service, warm: WarmStart, kills: int, seed: int) -> None:
    """Kill and restart the service ``kills`` times under load, then check that nothing was lost."""
    chance = random.Random(seed)
    profiles = profiles_of(service.settings)
    lsoas = [str(code) for code in profiles[KENT].geography.at_level(AreaLevel.LSOA)]
    sender = Sender(service.url, service.api_key, lsoas, seed)
    service.start(warm)
    sender.start()
    for _ in range(kills):
        if chance.random() < 0.9:
            service.wait_until_ready()
        pause(chance.uniform(0.05, 1.5))
        service.kill()
        service.start(warm)
    service.wait_until_ready()
    sender.stop()
    service.wait_until_settled()
    service.stop()
    service.identifying |= sender.tokens | set(lsoas)
    assert sender.refused == []
    assert len(sender.accepted) > kills * BATCH / 2, "hardly anything was accepted: the test tested nothing"

    database = service.database()
    with database.read() as connection:
        stored = [
            row.body["event_id"]
            for row in connection.execute(
                select(event_version.c.body).where(event_version.c.superseded_at.is_(None))
            )
        ]
        versions = connection.execute(select(event_version.c.version)).scalars().all()
        assert sender.accepted <= set(stored), "an accepted record was lost"
        assert len(stored) == len(set(stored)) == len(versions), "a record was stored twice"
        assert counting.compare(connection, profiles) == []
        assert audit.verify(connection, KENT).holds
        rows = connection.execute(select(outbox)).all()
        paged = set(
            connection.execute(select(incident.c.id).where(incident.c.tier == Tier.PAGE.value)).scalars()
        )
    database.close()

    owed = {row.id for row in rows if row.state not in ("sent", "not_sent")}
    # A review waits for the next working day: nobody is told of it at the moment at which it is found.
    waiting = {
        row.id
        for row in rows
        if row.kind == MessageKind.REVIEW.value and row.attempts == 0 and row.id in owed
    }
    assert owed == waiting, "messages are still owed"
    assert not [row.id for row in rows if row.state == "not_sent" and not row.reason], (
        "not sent, and nobody says why"
    )
    assert paged, "no incident paged: the test tested nothing"
    sent = {row.id for row in rows if row.state == "sent"}
    assert sent <= service.mailed_outbox(), "a message is marked sent that the mail server never had"
    assert paged <= service.mailed_incidents(), "an incident paged nobody"


def test_a_service_killed_twenty_times_under_load_loses_nothing(service: Service, warm: WarmStart) -> None:
    crash(service, warm, kills=20, seed=20)


@pytest.mark.long
def test_a_service_killed_two_hundred_times_under_load_loses_nothing(
    service: Service, warm: WarmStart
) -> None:
    crash(service, warm, kills=200, seed=200)
