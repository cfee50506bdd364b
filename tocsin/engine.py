"""One engine, two clocks: the list of background jobs, driven by the real clock or by a virtual one.

A job says when it next wants to run and runs. :class:`RealEngine` gives each its thread, beside the event log's own
loop; :class:`VirtualEngine` drains the log and runs the same jobs in one thread, jumping from due moment to due moment,
so that the same input gives the same bytes. A job that fails for good ends the process: its supervisor restarts it.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.exc import OperationalError

from schemas.clock import Clock
from streams.detection import LeaseLostError
from streams.log.embedded import EmbeddedLog
from streams.log.port import EventLog, Handle, Positioned
from tocsin.clocks import VirtualClock

log = structlog.get_logger(__name__)


class Job(Protocol):
    """Background work: detection, escalation, reminders, sending, housekeeping."""

    @property
    def name(self) -> str:
        """A short name for logs."""
        ...

    def next_due(self, now: datetime) -> datetime | None:
        """Return when it wants to run (in the past if it is late), or nothing while there is nothing to do."""
        ...

    def run(self, now: datetime) -> None:
        """Do what is due."""
        ...


class VirtualEngine:
    """Drives the jobs on a virtual clock."""

    _MOST_RUNS_AT_ONE_MOMENT = 200
    """A job that stays due after it ran so often is stuck: say so, rather than spin for ever."""

    def __init__(self, clock: VirtualClock, log_: EmbeddedLog, handle: Handle, jobs: Sequence[Job]) -> None:
        self._clock = clock
        self._log = log_
        self._handle = handle
        self._jobs = jobs

    def advance_to(self, moment: datetime) -> None:
        """Drain the log and run every job that falls due up to and including ``moment``, in order of time."""
        self._log.drain(self._handle)
        runs = 0
        while True:
            now = self._clock.now()
            due = [
                (at, place) for place, job in enumerate(self._jobs) if (at := job.next_due(now)) is not None
            ]
            if not due or min(due)[0] > moment:
                break
            at, place = min(due)
            runs = runs + 1 if at <= now else 0
            if runs > self._MOST_RUNS_AT_ONE_MOMENT:
                msg = f"The job {self._jobs[place].name} is due again and again at {now.isoformat()}."
                raise RuntimeError(msg)
            self._clock.move_to(at)
            self._jobs[place].run(self._clock.now())
            self._log.drain(self._handle)
        self._clock.move_to(moment)


class RealEngine:
    """Drives the event log's loop and each job in a thread of its own, on the real clock.

    Parameters
    ----------
    clock : Clock
    log_ : EventLog
        Read in its own thread.
    handle : Handle
        Intake.
    jobs : sequence of Job
    on_failure : callable
        Told when a thread ends by an exception, after all others were asked to stop.
    """

    _LOOK_SECONDS = 1.0
    """How long a job sleeps at most: another process, or a person, may have given it work."""
    _RETRY_SECONDS = (0.2, 1.0, 3.0, 10.0)

    def __init__(
        self,
        clock: Clock,
        log_: EventLog,
        handle: Handle,
        jobs: Sequence[Job],
        *,
        on_failure: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._log = log_
        self._handle = handle
        self._jobs = jobs
        self._on_failure = on_failure
        self._stop = threading.Event()
        self._news = {job.name: threading.Event() for job in jobs}
        self._threads: list[threading.Thread] = []
        self.failed = False

    def start(self) -> None:
        """Start every thread."""
        self._start("reader", lambda: self._log.run(self._handle_and_tell, self._stop))
        for job in self._jobs:
            self._start(job.name, lambda job=job: self._drive(job))  # type: ignore[misc]

    def stop(self, *, wait_seconds: float = 20.0) -> None:
        """Ask every thread to finish what it is doing, and wait for them."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join(wait_seconds)

    def wake(self) -> None:
        """Let every job look at once whether it is due."""
        for news in self._news.values():
            news.set()
        if isinstance(self._log, EmbeddedLog):
            self._log.wake()

    @property
    def is_alive(self) -> bool:
        """Whether every thread runs."""
        return not self.failed and all(thread.is_alive() for thread in self._threads)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guard, args=(name, work), name=f"tocsin-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("engine.thread_failed", thread=name)
            self.failed = True
            self._stop.set()
            self.wake()
            self._on_failure()

    def _handle_and_tell(self, batch: Sequence[Positioned]) -> None:
        self._handle(batch)
        for news in self._news.values():
            news.set()

    def _drive(self, job: Job) -> None:
        failures = 0
        news = self._news[job.name]
        while not self._stop.is_set():
            news.clear()
            try:
                now = self._clock.now()
                due = job.next_due(now)
                is_due = due is not None and due <= now
                if is_due:
                    job.run(now)
                failures = 0
            except LeaseLostError:
                log.warning("engine.lease_lost", job=job.name)
                news.wait(self._LOOK_SECONDS)
            except OperationalError:
                if failures == len(self._RETRY_SECONDS):
                    raise
                log.warning("engine.database_unavailable", job=job.name, attempt=failures + 1)
                # Not cut short by news: there is plenty of it while a database comes and goes.
                self._stop.wait(self._RETRY_SECONDS[failures])
                failures += 1
            else:
                if not is_due:
                    pause = self._LOOK_SECONDS if due is None else (due - now).total_seconds()
                    news.wait(min(max(pause, 0.001), self._LOOK_SECONDS))
