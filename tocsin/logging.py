"""Structured logs that cannot hold an identifying value.

``configure_logging`` is called once, by the command line, before anything else runs. Every line is an event name of our
own and fields from :data:`ALLOWED`; any other field is dropped and named, so that a value logged by mistake goes nowhere.
Of an exception only its type and the places in the code are written: its words may hold what was sent (pydantic),
the parameters of a statement (SQLAlchemy) or a piece of a record (almost anything else). Lines that libraries write
through the standard library are kept as the template that stands in their code, without what was filled in.

Request bodies, query strings and paths are never logged; requests are known by their route (``/metrics``).
"""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from datetime import date, datetime
from enum import Enum
from typing import Any, TextIO

import structlog

NUMBERS = frozenset(
    {
        "accepted",
        "attempt",
        "count",
        "duration_seconds",
        "events",
        "files",
        "log_records",
        "notice",
        "number",
        "outbox",
        "pid",
        "position",
        "quarantined",
        "records",
        "retry_after_seconds",
        "rows",
        "seconds",
        "signals",
        "status",
        "step",
        "substances",
        "tokens",
    }
)
"""Fields that hold a number and are dropped to their type's name if they hold anything else."""

ALLOWED = NUMBERS | frozenset(
    {
        # what structlog and this module add
        "event",
        "level",
        "timestamp",
        "logger",
        "error",
        "where",
        "dropped",
        # what the house may say
        "address",
        "batch",
        "channel",
        "check",
        "code",
        "day",
        "detector",
        "feed",
        "incident",
        "job",
        "jurisdiction",
        "method",
        "model_version",
        "next_at",
        "reason_code",
        "route",
        "state",
        "thread",
        "tier",
        "version",
    }
)
"""The fields that a log line may have. Add one only if no value of it can ever identify anybody."""

_LONGEST = 160
_FRAMES = 12
_TRUSTED = frozenset({"uvicorn", "uvicorn.error"})
"""Libraries whose informational lines (where it listens, that it stops) hold nothing from outside."""

Event = MutableMapping[str, Any]


def configure_logging(level: str = "INFO", *, json: bool = True, stream: TextIO | None = None) -> None:
    """Send every log line of this process, ours and the libraries', through the rules of this module.

    Parameters
    ----------
    level : str
        ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``.
    json : bool
        One JSON object a line; otherwise words for a person at a terminal.
    stream : text stream
        Where to; standard error when left out.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    out = stream if stream is not None else sys.stderr
    renderer = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            describe_exception,
            keep_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_FromLibraries()]
    root.setLevel(max(lowest, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger(
        "uvicorn.access"
    ).disabled = True  # it writes paths and query strings: links are secrets
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)


def keep_allowed(_logger: object, _method: str, event: Event) -> Event:
    """Drop every field that is not allowed, and name what was dropped by us."""
    kept = {
        name: _number(value) if name in NUMBERS else _plain(value)
        for name, value in event.items()
        if name in ALLOWED
    }
    dropped = sum(name not in ALLOWED for name in event)
    if dropped:
        kept["dropped"] = dropped
    return kept


def describe_exception(_logger: object, _method: str, event: Event) -> Event:
    """Replace an exception by its type (with those of its causes) and the places in the code, without its words."""
    about = event.pop("exc_info", None)
    if about is True:
        about = sys.exc_info()
    error = about[1] if isinstance(about, tuple) else about
    if isinstance(error, BaseException):
        event["error"] = " from ".join(_name(cause) for cause in _chain(error))
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["where"] = [
            f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}" for frame in frames
        ]
    return event


class _FromLibraries(logging.Handler):
    """Hands a line of the standard library's logging to structlog, as the template that stands in the code."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        trusted = record.name in _TRUSTED and record.levelno <= logging.INFO
        words = record.getMessage() if trusted else str(record.msg)
        logger = structlog.get_logger().bind(logger=record.name)
        logger.log(record.levelno, words, exc_info=record.exc_info)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _name(error: BaseException) -> str:
    """Return an exception's type; of an error of the operating system, also what it said (a fixed text)."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{name} ({error.strerror})" if isinstance(error, OSError) and error.strerror else name


def _number(value: object) -> float | str | None:
    return value if value is None or isinstance(value, bool | int | float) else f"({type(value).__name__})"


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever somebody logs)
    """Return numbers, short text, moments and lists of them; of anything else only its type."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return f"({type(value).__name__})"
