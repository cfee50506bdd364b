"""Prometheus metrics: one table of families, and the object that the house tells what it did.

The wiring makes one :class:`Metrics` for a process and hands it to intake (it is ``streams.intake.IntakeMetrics``), to
detection runs, to the sender (it is ``alerts.sender.SendCounter``) and to the web. ``docs/reference/metrics.md`` is
written from :data:`FAMILIES` by :func:`reference_page`, and a test fails when the two differ.

Label values come from closed vocabularies only: never an area, a substance class, a person, or text from outside. A
value that is not in its vocabulary is counted as ``other``, so that nothing a sender made up becomes a label.
"""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.vocabulary import Feed, Tier
from tocsin import __version__

OTHER = "other"

REASONS = frozenset(
    {
        "bad_date",
        "bad_text",
        "duplicate_key",
        "encoding",
        "future",
        "identifier",
        "identity_in_other_feed",
        "identity_in_other_jurisdiction",
        "invalid",
        "malformed",
        "no_date",
        "not_a_number",
        "number",
        "our_fault",
        "too_deep",
        "unknown_area",
        "unknown_jurisdiction",
        "unlisted_value",
        "version_conflict",
        "wrong_feed",
        "wrong_jurisdiction",
        "wrong_organisation",
    }
)
"""Why a record was quarantined; any other code is counted as ``other``."""

COMPUTED = frozenset({"area_counts", "fusion", "novelty", "slow_onset", "multivariate", "fallback"})
"""The detectors that a detection run asks, and the one that stands in when one of them fails."""
DETECTORS = COMPUTED | {"tripwire_scene", "tripwire_watch_list", "tripwire_concurrent", "tripwire_single"}
FAILURES = frozenset({"error", "timeout"})
CHANNELS = frozenset({"console_log", "email"})
RESULTS = frozenset({"sent", "transient", "permanent", "gave_up"})
REPEATS = frozenset({"duplicate", "redelivered"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "(no route)"

_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DETECTION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Kind(StrEnum):
    """What sort of Prometheus metric a family is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One family of metrics: what is exposed, and the words for it."""

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, str]
    """Each label and, in words, the closed vocabulary it takes its values from."""
    from_database: bool = False
    """Read from the database when scraped (``tocsin.database_gauges``), and so the same in every process."""


_FEED = "the four feeds"
_FEED_OR_OTHER = "the four feeds, or `other` where the record did not say"

FAMILIES: tuple[Family, ...] = (
    Family(
        "tocsin_records_accepted_total",
        Kind.COUNTER,
        "Event versions stored.",
        {"feed": _FEED},
    ),
    Family(
        "tocsin_records_repeated_total",
        Kind.COUNTER,
        "Records dropped because we had them: the sender's duplicates and our own log's redeliveries, apart.",
        {"feed": _FEED, "kind": "`duplicate` or `redelivered`"},
    ),
    Family(
        "tocsin_records_quarantined_total",
        Kind.COUNTER,
        "Records put into quarantine.",
        {"feed": _FEED_OR_OTHER, "reason": "the reason codes of quarantine, or `other`"},
    ),
    Family(
        "tocsin_signals_total",
        Kind.COUNTER,
        "Signals that detectors gave.",
        {"detector": "the names of the detectors", "tier": "`record`, `review` or `page`"},
    ),
    Family(
        "tocsin_detector_failures_total",
        Kind.COUNTER,
        "Parts of detection runs that failed; each such run looked with the simplest detector as well.",
        {
            "detector": "the names of the detectors, or `baseline` for the weekly fit",
            "reason": "`error` or `timeout`",
        },
    ),
    Family(
        "tocsin_detection_failing",
        Kind.GAUGE,
        "1 while the last detection run of a jurisdiction had a part that failed, else 0.",
        {"jurisdiction": "the jurisdictions of the settings"},
        from_database=True,
    ),
    Family(
        "tocsin_detection_duration_seconds",
        Kind.HISTOGRAM,
        "How long a detection run took, from its claim to its commit.",
        {},
    ),
    Family(
        "tocsin_last_detection_timestamp_seconds",
        Kind.GAUGE,
        "When the last detection run finished, as seconds since 1970; 0 when none has in this process.",
        {},
    ),
    Family(
        "tocsin_messages_sent_total",
        Kind.COUNTER,
        "Attempts to deliver a message.",
        {"channel": "the names of the channels", "result": "`sent`, `transient`, `permanent` or `gave_up`"},
    ),
    Family(
        "tocsin_http_request_duration_seconds",
        Kind.HISTOGRAM,
        "How long an HTTP request took, by the route's template and never by its path.",
        {
            "route": "the templates of the routes, or `(no route)`",
            "method": "the HTTP methods, or `other`",
            "status": "the HTTP status codes",
        },
    ),
    Family(
        "tocsin_build_info",
        Kind.GAUGE,
        "Always 1; its labels say what is running.",
        {"version": "Tocsin's version", "python": "Python's version"},
    ),
    Family(
        "tocsin_database_up",
        Kind.GAUGE,
        "1 when the database answered the last reading; otherwise 0, and what is read from it is left out.",
        {},
        from_database=True,
    ),
    Family(
        "tocsin_last_record_timestamp_seconds",
        Kind.GAUGE,
        "When the last record of a feed was received, as seconds since 1970; 0 when none ever was.",
        {"jurisdiction": "the jurisdictions of the settings", "feed": _FEED},
        from_database=True,
    ),
    Family(
        "tocsin_incidents_open",
        Kind.GAUGE,
        "Incidents that are not closed.",
        {"phase": "the phases of an incident"},
        from_database=True,
    ),
    Family(
        "tocsin_quarantine_waiting",
        Kind.GAUGE,
        "Quarantined records that wait for a person's decision.",
        {},
        from_database=True,
    ),
    Family(
        "tocsin_outbox_pending",
        Kind.GAUGE,
        "Messages that are owed and not yet delivered.",
        {},
        from_database=True,
    ),
    Family(
        "tocsin_outbox_oldest_pending_seconds",
        Kind.GAUGE,
        "How long the oldest message that may go out by now has waited; 0 when none waits.",
        {},
        from_database=True,
    ),
    Family(
        "tocsin_event_log_backlog",
        Kind.GAUGE,
        "Records in the event log that intake has not taken in yet.",
        {},
        from_database=True,
    ),
)
"""Every family that ``/metrics`` exposes."""

BY_NAME: Mapping[str, Family] = {family.name: family for family in FAMILIES}


class Metrics:
    """What the house counts for operators, in a registry of its own.

    Parameters
    ----------
    detectors, channels : iterables of str
        The names that may appear as labels; any other name is counted as ``other``.
    """

    def __init__(self, *, detectors: Iterable[str] = DETECTORS, channels: Iterable[str] = CHANNELS) -> None:
        self.registry = CollectorRegistry()
        self._detectors = frozenset(detectors)
        self._channels = frozenset(channels)
        self._accepted = self._counter("tocsin_records_accepted_total")
        self._repeated = self._counter("tocsin_records_repeated_total")
        self._quarantined = self._counter("tocsin_records_quarantined_total")
        self._signals = self._counter("tocsin_signals_total")
        self._messages = self._counter("tocsin_messages_sent_total")
        self._failures = self._counter("tocsin_detector_failures_total")
        self._detection = self._histogram("tocsin_detection_duration_seconds", _DETECTION_BUCKETS)
        self._last_detection = self._gauge("tocsin_last_detection_timestamp_seconds")
        self._http = self._histogram("tocsin_http_request_duration_seconds", _HTTP_BUCKETS)
        build = self._gauge("tocsin_build_info")
        build.labels(version=__version__, python=platform.python_version()).set(1)
        for feed in Feed:  # a feed that never spoke must show as 0, not be missing
            self._accepted.labels(feed=feed.value)

    def accepted(self, feed: Feed, number: int) -> None:
        """Count event versions stored."""
        self._accepted.labels(feed=feed.value).inc(number)

    def repeated(self, feed: Feed, kind: str, number: int) -> None:
        """Count a sender's duplicates (``duplicate``) and our log's redeliveries (``redelivered``), apart."""
        self._repeated.labels(feed=feed.value, kind=_closed(kind, REPEATS)).inc(number)

    def quarantined(self, feed: Feed | None, code: str, number: int) -> None:
        """Count records put into quarantine, by reason code."""
        self._quarantined.labels(feed=feed.value if feed else OTHER, reason=_closed(code, REASONS)).inc(
            number
        )

    def signal(self, detector: str, tier: Tier) -> None:
        """Count one signal."""
        self._signals.labels(detector=_closed(detector, self._detectors), tier=tier.value).inc()

    def detector_failed(self, detector: str, reason: str) -> None:
        """Count a part of a detection run that failed."""
        self._failures.labels(
            detector=_closed(detector, COMPUTED | {"baseline"}), reason=_closed(reason, FAILURES)
        ).inc()

    def detection_finished(self, seconds: float, now: datetime) -> None:
        """Note that a detection run is committed: how long it took, and when that was."""
        self._detection.observe(seconds)
        self._last_detection.set(now.timestamp())

    def sent(self, channel: str, outcome: str) -> None:
        """Count one attempt to deliver a message."""
        self._messages.labels(
            channel=_closed(channel, self._channels), result=_closed(outcome, RESULTS)
        ).inc()

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Note one HTTP request by the template of its route."""
        labels = {"route": route or NO_ROUTE, "method": _closed(method, METHODS), "status": str(status)}
        self._http.labels(**labels).observe(seconds)

    def exposition(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str) -> Counter:
        return Counter(name, *_words(name), registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, *_words(name), registry=self.registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, *_words(name), registry=self.registry, buckets=buckets)


def _words(name: str) -> tuple[str, tuple[str, ...]]:
    family = BY_NAME[name]
    return family.help, tuple(family.labels)


def _closed(value: str, vocabulary: frozenset[str]) -> str:
    return value if value in vocabulary else OTHER


def reference_page() -> str:
    """Return ``docs/reference/metrics.md``."""
    lines = [
        "# Metrics",
        "",
        "Tocsin exposes these at `/metrics`, in the Prometheus text format. Only a client on the same host, or one",
        "that shows the metrics token as `Authorization: Bearer TOKEN`, may read them. No label ever holds an area, a",
        "substance, a person or text from outside.",
        "",
        "This page is written from `tocsin/metrics.py`: `python -m tocsin.metrics > docs/reference/metrics.md`.",
        "",
    ]
    for family in FAMILIES:
        lines += [f"## `{family.name}`", "", f"*{family.kind.value}*: {family.help}", ""]
        if family.from_database:
            lines += ["Read from the database, at most every 15 seconds.", ""]
        lines += [f"- `{label}`: {words}" for label, words in family.labels.items()]
        if family.labels:
            lines.append("")
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    print(reference_page(), end="")  # noqa: T201 (this is how the page is written)
