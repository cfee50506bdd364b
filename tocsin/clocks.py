"""The clocks: the system's, and those that only a replay, a demo or a timeline test sets."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The operating system's clock: the one place that asks for it."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)


class VirtualClock:
    """A clock that stands still until it is moved, and never goes back."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            msg = "a virtual clock starts at a timezone-aware moment"
            raise ValueError(msg)
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment it was last moved to."""
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move forward to ``moment``; a moment that has passed leaves it where it is."""
        self._now = max(self._now, moment.astimezone(UTC))


class RunningClock:
    """A clock that runs on from a moment of the past at its usual pace: the demo's, once its story has been told."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = time.monotonic()

    def now(self) -> datetime:
        """Return the moment it has come to."""
        return self._start + timedelta(seconds=time.monotonic() - self._began)
