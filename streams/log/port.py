"""The event log as the rest of the house sees it.

``append`` returns when the records are durable. ``run`` owns its loop and hands batches to a synchronous ``handle``;
when ``handle`` returns, the batch is acknowledged; when it raises, the same batch comes again. One contract suite
(``tests/contract/test_event_log.py``) holds for every adapter.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.vocabulary import Delivery, Feed, Jurisdiction


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One screened record on its way to intake."""

    feed: Feed
    jurisdiction: Jurisdiction
    delivery: Delivery
    origin: str
    """Which connector or key brought it, for people who must trace a bad feed; never a person's name."""
    received_at: datetime
    body: bytes
    """UTF-8 JSON of a ``schemas.events`` message, not yet validated."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Positioned:
    """A record and its place in the log."""

    position: Position
    record: LogRecord


Handle = Callable[[Sequence[Positioned]], None]


class EventLog(Protocol):
    """An ordered, durable log of screened records."""

    def append(self, records: Sequence[LogRecord]) -> None:
        """Store the records in this order and return when they are durable.

        If it raises, some of them may be stored; sending all of them again is safe, since intake absorbs repeats.
        """
        ...

    def run(self, handle: Handle, stop: threading.Event) -> None:
        """Hand batches to ``handle`` in order until ``stop`` is set; acknowledge each when ``handle`` returns."""
        ...
