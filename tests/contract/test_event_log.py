"""What every event log promises; each adapter passes the same suite."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.log.embedded import EmbeddedLog
from streams.log.port import EventLog, LogRecord, Positioned
from tocsin.database import SqlDatabase


def log_record(body: str) -> LogRecord:
    return LogRecord(
        Feed.ED_PRESENTATIONS,
        Jurisdiction("kent-and-medway"),
        Delivery.LIVE,
        "test",
        datetime(2018, 1, 1, tzinfo=UTC),
        body.encode(),
    )


@pytest.fixture(params=["embedded"])
def event_log(request: pytest.FixtureRequest, database: SqlDatabase) -> EventLog:
    return EmbeddedLog(database, batch=5)


class Reader:
    """Runs the log's loop in a thread until it has seen so many records."""

    def __init__(self, event_log: EventLog, enough: int, fail_once_at: str | None = None) -> None:
        self.seen: list[str] = []
        self.batches: list[int] = []
        self._enough = enough
        self._fail_once_at = fail_once_at
        self._stop = threading.Event()
        self._log = event_log

    def handle(self, batch: Sequence[Positioned]) -> None:
        bodies = [item.record.body.decode() for item in batch]
        if self._fail_once_at in bodies:
            self._fail_once_at = None
            raise ZeroDivisionError
        self.seen += bodies
        self.batches.append(len(batch))
        if len(self.seen) >= self._enough:
            self._stop.set()

    def read(self) -> list[str]:
        thread = threading.Thread(target=self._loop)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), "the log's loop did not stop"
        return self.seen

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._log.run(self.handle, self._stop)
            except ZeroDivisionError:
                continue


def test_records_come_in_the_order_in_which_they_were_appended(event_log: EventLog) -> None:
    event_log.append([log_record(str(number)) for number in range(12)])
    event_log.append([log_record("12")])
    reader = Reader(event_log, 13)
    assert reader.read() == [str(number) for number in range(13)]
    assert max(reader.batches) <= 5


def test_a_batch_on_which_handling_fails_comes_again(event_log: EventLog) -> None:
    event_log.append([log_record(str(number)) for number in range(8)])
    assert sorted(set(Reader(event_log, 8, fail_once_at="6").read()), key=int) == [str(n) for n in range(8)]


def test_what_was_acknowledged_does_not_come_again_to_a_new_reader(event_log: EventLog) -> None:
    event_log.append([log_record("first")])
    Reader(event_log, 1).read()
    event_log.append([log_record("second")])
    assert Reader(event_log, 1).read() == ["second"]


def test_a_record_carries_everything_it_was_appended_with(event_log: EventLog) -> None:
    sent = log_record('{"a": "é"}')
    event_log.append([sent])
    received: list[LogRecord] = []
    stop = threading.Event()

    def handle(batch: Sequence[Positioned]) -> None:
        received.extend(item.record for item in batch)
        stop.set()

    event_log.run(handle, stop)
    assert received == [sent]


def test_positions_rise_and_are_never_used_twice(event_log: EventLog) -> None:
    offsets: list[int] = []
    for round_ in range(3):
        event_log.append([log_record(f"{round_}-{number}") for number in range(3)])
        stop = threading.Event()

        def handle(batch: Sequence[Positioned], stop: threading.Event = stop) -> None:
            offsets.extend(item.position.offset for item in batch)
            stop.set()

        event_log.run(handle, stop)
    assert offsets == sorted(set(offsets))


def test_appending_while_reading_loses_and_repeats_nothing(event_log: EventLog) -> None:
    def append(writer: int) -> Callable[[], None]:
        def work() -> None:
            for number in range(40):
                event_log.append([log_record(f"{writer}-{number}")])

        return work

    writers = [threading.Thread(target=append(writer)) for writer in range(3)]
    for writer in writers:
        writer.start()
    seen = Reader(event_log, 120).read()
    for writer in writers:
        writer.join()
    assert len(seen) == len(set(seen)) == 120


def test_the_embedded_log_forgets_only_what_was_handled_and_is_old_enough(database: SqlDatabase) -> None:
    log = EmbeddedLog(database, batch=5)
    log.append([log_record("handled")])
    log.drain(lambda _batch: None)
    log.append([log_record("waiting")])
    assert log.prune(datetime(2018, 1, 2, tzinfo=UTC)) == 1
    assert log.backlog() == 1
