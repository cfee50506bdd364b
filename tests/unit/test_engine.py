"""The engine of jobs: on the virtual clock in order of time and never spinning, on the real one never silently dead."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self, cast

import pytest
from sqlalchemy.exc import OperationalError

from schemas.vocabulary import Jurisdiction
from streams.detection import LeaseLostError
from streams.log.embedded import EmbeddedLog
from streams.log.port import Handle, LogRecord
from tocsin.clocks import SystemClock, VirtualClock
from tocsin.engine import RealEngine, VirtualEngine

NOON = datetime(2018, 1, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG = 30.0
"""Seconds after which something that should happen at once is taken not to happen at all."""


class Alarm:
    """A job that is due at given moments, and notes when it ran."""

    def __init__(self, name: str, *moments: datetime, ran: list[tuple[str, datetime]]) -> None:
        self.name = name
        self.moments = list(moments)
        self._ran = ran

    def next_due(self, now: datetime) -> datetime | None:
        return min(self.moments, default=None)

    def run(self, now: datetime) -> None:
        self._ran.append((self.name, now))
        self.moments = [moment for moment in self.moments if moment > now]


class Log:
    """An event log of nothing: notes when it was drained, and its loop does as it is told."""

    def __init__(self, on_run: Callable[[Handle, threading.Event], None] | None = None) -> None:
        self.drained: list[datetime] = []
        self.clock: VirtualClock | None = None
        self._on_run = on_run

    def append(self, records: Sequence[LogRecord]) -> None:
        raise NotImplementedError

    def drain(self, handle: Handle) -> int:
        assert self.clock is not None
        self.drained.append(self.clock.now())
        return 0

    def run(self, handle: Handle, stop: threading.Event) -> None:
        if self._on_run is not None:
            self._on_run(handle, stop)
        stop.wait()


def virtual(*jobs: object, log: Log | None = None) -> tuple[VirtualEngine, VirtualClock]:
    clock = VirtualClock(NOON)
    log = log or Log()
    log.clock = clock
    return VirtualEngine(clock, cast("EmbeddedLog", log), lambda _: None, jobs), clock  # type: ignore[arg-type]


# The virtual clock


def test_jobs_run_in_order_of_time_whatever_their_order_in_the_list() -> None:
    ran: list[tuple[str, datetime]] = []
    early = Alarm("early", NOON + MINUTE, NOON + 3 * MINUTE, ran=ran)
    late = Alarm("late", NOON + 2 * MINUTE, ran=ran)
    engine, clock = virtual(late, early)
    engine.advance_to(NOON + 10 * MINUTE)
    assert ran == [("early", NOON + MINUTE), ("late", NOON + 2 * MINUTE), ("early", NOON + 3 * MINUTE)]
    assert clock.now() == NOON + 10 * MINUTE


def test_jobs_due_at_one_moment_run_in_the_order_of_the_list() -> None:
    ran: list[tuple[str, datetime]] = []
    engine, _ = virtual(Alarm("first", NOON, ran=ran), Alarm("second", NOON, ran=ran))
    engine.advance_to(NOON)
    assert [name for name, _ in ran] == ["first", "second"]


def test_the_clock_jumps_a_year_to_the_only_thing_that_is_due() -> None:
    ran: list[tuple[str, datetime]] = []
    moment = NOON + timedelta(days=365)
    log = Log()
    engine, _ = virtual(Alarm("yearly", moment, ran=ran), log=log)
    engine.advance_to(NOON + timedelta(days=400))
    assert ran == [("yearly", moment)]
    assert log.drained == [NOON, moment], "it looked at days on which nothing was due"


def test_what_is_due_after_the_moment_waits_and_what_is_due_at_it_does_not() -> None:
    ran: list[tuple[str, datetime]] = []
    engine, clock = virtual(Alarm("job", NOON + MINUTE, NOON + 2 * MINUTE, ran=ran))
    engine.advance_to(NOON + MINUTE)
    assert ran == [("job", NOON + MINUTE)]
    engine.advance_to(NOON)
    assert clock.now() == NOON + MINUTE, "the clock went back"


def test_a_job_that_is_late_runs_now_and_not_in_the_past() -> None:
    ran: list[tuple[str, datetime]] = []
    engine, _ = virtual(Alarm("late", NOON - timedelta(days=3), ran=ran))
    engine.advance_to(NOON + MINUTE)
    assert ran == [("late", NOON)]


def test_what_one_job_makes_due_for_another_is_done_at_the_same_moment() -> None:
    ran: list[tuple[str, datetime]] = []
    sender = Alarm("sender", ran=ran)

    class Escalation(Alarm):
        def run(self, now: datetime) -> None:
            super().run(now)
            sender.moments.append(now)

    engine, _ = virtual(sender, Escalation("escalation", NOON + MINUTE, ran=ran))
    engine.advance_to(NOON + 5 * MINUTE)
    assert ran == [("escalation", NOON + MINUTE), ("sender", NOON + MINUTE)]


def test_a_job_that_stays_due_is_named_and_does_not_spin_for_ever() -> None:
    class Stuck:
        name = "stuck"

        def next_due(self, now: datetime) -> datetime | None:
            return now

        def run(self, now: datetime) -> None:
            pass

    engine, _ = virtual(Stuck())
    with pytest.raises(RuntimeError, match="The job stuck is due again and again"):
        engine.advance_to(NOON + MINUTE)


def test_an_error_in_a_job_reaches_whoever_plays() -> None:
    class Broken(Alarm):
        def run(self, now: datetime) -> None:
            raise KeyError("broken")

    engine, _ = virtual(Broken("broken", NOON, ran=[]))
    with pytest.raises(KeyError):
        engine.advance_to(NOON)


# The real clock


class Fails:
    """A job that is always due and raises the given errors, one a run; then it is content."""

    name = "fails"

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.runs = 0
        self.content = threading.Event()

    def next_due(self, now: datetime) -> datetime | None:
        return None if self.content.is_set() else now

    def run(self, now: datetime) -> None:
        self.runs += 1
        if self._errors:
            raise self._errors.pop(0)
        self.content.set()


class Idle:
    """A job with nothing to do."""

    name = "idle"

    def next_due(self, now: datetime) -> datetime | None:
        return None

    def run(self, now: datetime) -> None:
        raise AssertionError("it had nothing to do")


@pytest.fixture(autouse=True)
def _retries_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealEngine, "_RETRY_SECONDS", (0.001,) * len(RealEngine._RETRY_SECONDS))


class Real:
    """A running engine, and whether it told of a failure."""

    def __init__(self, *jobs: object, log: Log | None = None) -> None:
        self.told = threading.Event()
        self.log = log or Log()
        self.engine = RealEngine(
            SystemClock(),
            self.log,
            lambda _: None,
            jobs,  # type: ignore[arg-type]
            on_failure=self.told.set,
        )

    def __enter__(self) -> Self:
        self.engine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()
        assert not [one for one in self.engine._threads if one.is_alive()], "a thread was left behind"


def unavailable() -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception("the database is away"))


def test_a_job_that_fails_by_a_bug_stops_every_thread_and_says_so() -> None:
    with Real(Fails(KeyError("a bug")), Idle()) as real:
        assert real.told.wait(LONG)
        assert real.engine.failed
        assert not real.engine.is_alive
        for thread in real.engine._threads:
            thread.join(LONG)
            assert not thread.is_alive(), f"{thread.name} went on after another had failed"


def test_a_log_that_fails_stops_every_thread_and_says_so() -> None:
    def fail(handle: Handle, stop: threading.Event) -> None:
        raise ConnectionError("the log is away")

    with Real(Idle(), log=Log(fail)) as real:
        assert real.told.wait(LONG)
        assert not real.engine.is_alive


def test_a_database_that_is_away_for_a_while_is_tried_again() -> None:
    job = Fails(*(unavailable() for _ in RealEngine._RETRY_SECONDS))
    with Real(job) as real:
        assert job.content.wait(LONG)
        assert job.runs == len(RealEngine._RETRY_SECONDS) + 1
        assert real.engine.is_alive
        assert not real.told.is_set()


def test_a_database_that_stays_away_ends_the_process() -> None:
    tries = len(RealEngine._RETRY_SECONDS) + 1
    job = Fails(*(unavailable() for _ in range(tries)))
    with Real(job) as real:
        assert real.told.wait(LONG)
        assert job.runs == tries
        assert real.engine.failed


def test_failures_long_past_do_not_count_towards_giving_up() -> None:
    class NowAndThen(Idle):
        """Asking fails every other time: each time it works in between, all is well again."""

        def __init__(self) -> None:
            self.asked = 0
            self.enough = threading.Event()

        def next_due(self, now: datetime) -> datetime | None:
            self.asked += 1
            if self.asked > 6 * len(RealEngine._RETRY_SECONDS):
                self.enough.set()
                return None
            if self.asked % 2:
                raise unavailable()
            return now + timedelta(microseconds=1)

    job = NowAndThen()
    with Real(job) as real:
        assert job.enough.wait(LONG)
        assert not real.engine.failed


def test_news_does_not_use_up_the_tries_of_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealEngine, "_RETRY_SECONDS", (3600.0,))
    first = threading.Event()

    class Away(Fails):
        def run(self, now: datetime) -> None:
            first.set()
            super().run(now)

    job = Away(unavailable(), unavailable())
    with Real(job) as real:
        assert first.wait(LONG)
        for _ in range(100):
            real.engine.wake()
            threading.Event().wait(0.001)
        assert job.runs == 1
        assert not real.engine.failed


def test_a_lease_that_was_lost_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealEngine, "_LOOK_SECONDS", 0.001)
    job = Fails(*(LeaseLostError(Jurisdiction("kent-and-medway")) for _ in range(20)))
    with Real(job) as real:
        assert job.content.wait(LONG)
        assert real.engine.is_alive


def test_a_batch_that_was_taken_in_wakes_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealEngine, "_LOOK_SECONDS", 3600.0)
    asked_once, arrived, looked = threading.Event(), threading.Event(), threading.Event()

    class Watches(Idle):
        def next_due(self, now: datetime) -> datetime | None:
            (looked if arrived.is_set() else asked_once).set()
            return None

    def one_batch(handle: Handle, stop: threading.Event) -> None:
        assert asked_once.wait(LONG)
        arrived.set()
        handle([])

    with Real(Watches(), log=Log(one_batch)):
        assert looked.wait(LONG), "the job slept through the news"


def test_stopping_lets_a_job_finish_what_it_is_doing() -> None:
    began, may_end = threading.Event(), threading.Event()
    finished = threading.Event()

    class Slow(Idle):
        def next_due(self, now: datetime) -> datetime | None:
            return now

        def run(self, now: datetime) -> None:
            began.set()
            assert may_end.wait(LONG)
            finished.set()

    with Real(Slow(), Idle()) as real:
        assert began.wait(LONG)
        threading.Timer(0.05, may_end.set).start()
        real.engine.stop()
        assert finished.is_set()
        assert not real.engine.failed
        assert not real.told.is_set()
