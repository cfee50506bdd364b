"""Asking detectors so that none can silence the others: each within a time limit, and an error is somebody's business.

A detection run hands its detectors to :class:`Asking`. What a failing one would have said is lost; that it failed is
not: the run looks with the simplest valid detector as well, and operators are told.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

import structlog
from pydantic import JsonValue

from detectors.contract import Detector, Look, Past
from schemas.signals import Signal

log = structlog.get_logger(__name__)

T = TypeVar("T")

BASELINE = "baseline"
"""Stands for the weekly fit among the names of what failed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, and how: ``error`` or ``timeout``."""

    detector: str
    reason: str


class Asking:
    """Calls what computes, and gives up on what fails.

    Parameters
    ----------
    limit_seconds : float
        How long one answer may take. A computation cannot be stopped from outside: one that is too slow goes on in a
        thread of its own, its answer is thrown away, and it is not asked again before it has ended.
    on_failure : callable
        Told the name of what failed and how: operators want to know.
    before_each : callable
        Called before each question: a run that takes long renews its lease here.
    """

    def __init__(
        self,
        limit_seconds: float,
        on_failure: Callable[[str, str], None],
        before_each: Callable[[], None] = lambda: None,
    ) -> None:
        self._limit = limit_seconds
        self._on_failure = on_failure
        self._before_each = before_each
        self._worker: _Worker | None = None
        self._stuck: dict[str, _Question] = {}

    def learn(
        self, detectors: Sequence[Detector], past: Past
    ) -> tuple[dict[str, JsonValue], tuple[Failure, ...]]:
        """Return what each detector learnt this week, and which failed to."""
        learnt: dict[str, JsonValue] = {}
        failures: list[Failure] = []
        for detector in detectors:
            answer = self.attempt(detector.name, lambda one=detector: one.learn(past))  # type: ignore[misc]
            if isinstance(answer, Failure):
                failures.append(answer)
            else:
                learnt[detector.name] = answer
        return learnt, tuple(failures)

    def detect(self, detectors: Sequence[Detector], look: Look) -> tuple[list[Signal], tuple[Failure, ...]]:
        """Return the signals of all detectors, and which of them failed."""
        signals: list[Signal] = []
        failures: list[Failure] = []
        for detector in detectors:
            answer = self.attempt(detector.name, lambda one=detector: one.detect(look))  # type: ignore[misc]
            if isinstance(answer, Failure):
                failures.append(answer)
            else:
                signals += answer
        return signals, tuple(failures)

    def attempt(self, name: str, compute: Callable[[], T]) -> T | Failure:
        """Return what ``compute`` returns, or why it did not."""
        self._before_each()
        answer = self._attempt(name, compute)
        if isinstance(answer, Failure):
            self._on_failure(answer.detector, answer.reason)
        return answer

    def _attempt(self, name: str, compute: Callable[[], T]) -> T | Failure:
        stuck = self._stuck.get(name)
        if stuck is not None and not stuck.answered.is_set():
            log.error("detector_still_running", detector=name)
            return Failure(name, "timeout")
        if self._worker is None:
            self._worker = _Worker()
        answer: list[T] = []
        question = _Question(lambda: answer.append(compute()))
        self._worker.put(question)
        if not question.answered.wait(self._limit):
            log.error("detector_timed_out", detector=name, seconds=self._limit)
            self._worker.abandon()
            self._worker, self._stuck[name] = None, question
            return Failure(name, "timeout")
        if question.error is not None:
            log.error("detector_failed", detector=name, error=type(question.error).__name__)
            return Failure(name, "error")
        return answer[0]


class _Question:
    """One computation, and what became of it."""

    def __init__(self, compute: Callable[[], None]) -> None:
        self._compute = compute
        self.answered = threading.Event()
        self.error: Exception | None = None

    def answer(self) -> None:
        try:
            self._compute()
        except Exception as error:  # noqa: BLE001 (whatever failed, the run must go on and say so)
            self.error = error
        finally:
            self.answered.set()


class _Worker:
    """A thread that answers one question after the other, until it is abandoned."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        threading.Thread(target=self._run, name="detectors", daemon=True).start()

    def put(self, question: _Question) -> None:
        self._questions.put(question)

    def abandon(self) -> None:
        """End the thread as soon as what it computes has ended, whenever that is."""
        self._questions.put(None)

    def _run(self) -> None:
        while (question := self._questions.get()) is not None:
            question.answer()
