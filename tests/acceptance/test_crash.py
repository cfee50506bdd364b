"""Crash tests: the service is killed at random moments while records arrive, and nothing that it accepted is lost.

The real service in a process of its own, real HTTP, a real SMTP server; ``SIGKILL`` and start again, many times. Then:
every accepted record is stored once, counts equal a rebuild, every message owed was delivered at least once or says why
not, and the audit chain verifies.
"""

import json
import random
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select

from alerts import audit
from schemas.tables.events import event_version
from schemas.tables.incidents import incident
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams import counting
from tocsin.wiring import profiles_of

KENT = Jurisdiction("kent-and-medway")
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
        return [
            self._record(areas={"event": place}, scene=scene, occurred_at=when, subject=f"subject-{self._number}-{n:016d}")
            for n in range(4)
        ]


def crash(service, kills: int, seed: int) -> None:  # type: ignore[no-untyped-def]
    """Kill and restart the service ``kills`` times under load, then check that nothing was lost."""
    chance = random.Random(seed)
    profiles = profiles_of(service.settings)
    lsoas = [str(code) for code in profiles[KENT].geography.at_level("lsoa")]
    sender = Sender(service.url, service.api_key, lsoas, seed)
    service.start()
    sender.start()
    for _ in range(kills):
        service.wait_until_ready()
        threading.Event().wait(chance.uniform(0.05, 1.5))
        service.kill()
        service.start()
    service.wait_until_ready()
    sender.stop()
    service.wait_until_settled()
    service.stop()
    assert sender.refused == []
    assert len(sender.accepted) > kills * BATCH / 2, "hardly anything was accepted: the test tested nothing"

    database = service.database()
    with database.read() as connection:
        rows = connection.execute(select(event_version.c.body, event_version.c.version)).all()
        stored = [row.body["event_id"] for row in rows]
        assert sender.accepted <= set(stored), "an accepted record was lost"
        assert len(stored) == len(set(stored)), "a record was stored twice"
        assert counting.compare(connection, profiles) == []
        assert audit.verify(connection, KENT).holds
        states = dict(connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all())
        assert set(states) <= {"sent", "not_sent"}, f"messages are still owed: {states}"
        unexplained = select(outbox).where(outbox.c.state == "not_sent", outbox.c.reason.is_(None))
        assert connection.execute(unexplained).all() == []
        paged = set(connection.execute(select(incident.c.id).where(incident.c.tier == Tier.PAGE.value)).scalars())
        sent = set(
            connection.execute(
                select(outbox.c.id).where(outbox.c.state == "sent", outbox.c.channel == "email")
            ).scalars()
        )
    assert paged, "no incident paged: the test tested nothing"
    delivered = service.mail.message_ids()
    assert sent <= delivered, "a message is marked sent that the mail server never had"
    assert paged <= service.mail.incidents(), "an incident paged nobody"
    database.close()


def test_a_service_killed_twenty_times_under_load_loses_nothing(service) -> None:  # type: ignore[no-untyped-def]
    crash(service, kills=20, seed=20)


@pytest.mark.long
def test_a_service_killed_two_hundred_times_under_load_loses_nothing(service) -> None:  # type: ignore[no-untyped-def]
    crash(service, kills=200, seed=200)


