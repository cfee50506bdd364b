"""Fixtures of the store suites: a database with tables, a clock that stands still, and an intake to feed."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from schemas.geography import load_kent_and_medway
from schemas.signals import Signal
from schemas.substances import default_taxonomy
from schemas.tables import metadata
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams import jurisdictions
from streams.decoding import Decoded
from streams.intake import Intake
from streams.log.port import LogRecord, Position, Positioned
from streams.profile import JurisdictionProfile
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

KENT = Jurisdiction("kent-and-medway")
START = datetime(2018, 1, 22, 12, 0, tzinfo=UTC)


class Silent:
    """Metrics that count nothing."""

    def accepted(self, feed: Feed, number: int) -> None: ...

    def repeated(self, feed: Feed, kind: str, number: int) -> None: ...

    def quarantined(self, feed: Feed | None, code: str, number: int) -> None: ...


@pytest.fixture
def database(database_url: str) -> Iterator[SqlDatabase]:
    made = SqlDatabase(database_url)
    metadata.create_all(made.engine)
    with made.write() as connection:
        jurisdictions.ensure(connection, [KENT])
    yield made
    made.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture(scope="session")
def profiles() -> dict[Jurisdiction, JurisdictionProfile]:
    return {KENT: JurisdictionProfile(KENT, "Kent and Medway", load_kent_and_medway())}


class Desk:
    """Remembers what intake told the incident workflow."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.withdrawn: list[str] = []
        self.fresh: list[Decoded] = []
        self.fail_on: set[str] = set()

    def on_signals(self, connection: Connection, signals: Sequence[Signal], now: datetime) -> None:
        self.signals += signals

    def on_withdrawn(self, connection: Connection, identities: Sequence[str], now: datetime) -> None:
        self.withdrawn += identities

    def tripwires(
        self, connection: Connection, profile: JurisdictionProfile, fresh: Sequence[Decoded], now: datetime
    ) -> Sequence[Signal]:
        if any(one.event.event_id in self.fail_on for one in fresh):
            raise ZeroDivisionError
        self.fresh += fresh
        return ()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def intake(
    database: SqlDatabase,
    clock: VirtualClock,
    profiles: dict[Jurisdiction, JurisdictionProfile],
    desk: Desk,
) -> Intake:
    return Intake(
        database,
        clock,
        profiles,
        default_taxonomy(),
        tripwires=desk.tripwires,
        on_signals=desk.on_signals,
        on_withdrawn=desk.on_withdrawn,
        metrics=Silent(),
    )


@pytest.fixture
def record() -> Callable[..., dict[str, object]]:
    """Make the content of a naloxone record in Thanet, with changes."""

    def make(event_id: str = "call-1", **changes: object) -> dict[str, object]:
        content: dict[str, object] = {
            "feed": Feed.AMBULANCE_NALOXONE.value,
            "event_id": event_id,
            "jurisdiction": KENT,
            "source": {"organisation": "secamb"},
            "occurred_at": "2018-01-22T10:00:00Z",
            "areas": {"event": "E07000114"},
            "suspected": ["heroin"],
        }
        return content | changes

    return make


@pytest.fixture
def feed_in(intake: Intake, clock: VirtualClock) -> Callable[..., None]:
    """Hand records to intake as one batch of the log; positions go on from call to call."""
    offset = 0

    def feed(
        *contents: object,
        raw: Sequence[bytes] = (),
        delivery: Delivery = Delivery.LIVE,
        at: int | None = None,
    ) -> None:
        nonlocal offset
        import json

        batch = []
        for body in [*(json.dumps(content).encode() for content in contents), *raw]:
            offset += 1
            feed_name = Feed.AMBULANCE_NALOXONE
            with contextlib.suppress(ValueError, AttributeError):
                feed_name = Feed(json.loads(body).get("feed", feed_name))
            log_record = LogRecord(feed_name, KENT, delivery, "test", clock.now(), body)
            batch.append(Positioned(Position("test", 0, offset if at is None else at), log_record))
        intake.handle(batch)

    return feed
