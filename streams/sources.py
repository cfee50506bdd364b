"""What is known of each feed and source site: when it last spoke, how much it sent, how often it repeated itself."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Row, delete, select

from schemas.tables.events import feed_source, unknown_substance
from streams.decoding import Decoded
from streams.upsert import upsert

SourceKey = tuple[str, str, str, str]
"""(jurisdiction, feed, organisation, site or empty)"""


@dataclass
class SourceNews:
    """What one batch says about its sources."""

    _received: dict[SourceKey, list[datetime]] = field(default_factory=dict)
    _occurred: dict[SourceKey, datetime] = field(default_factory=dict)
    _numbers: dict[str, Counter[SourceKey]] = field(
        default_factory=lambda: {"accepted": Counter(), "duplicates": Counter(), "redelivered": Counter()}
    )

    def accepted(self, message: Decoded) -> None:
        """Note a message that was stored."""
        self._note(message, "accepted")

    def duplicate(self, message: Decoded) -> None:
        """Note a sender's repeat."""
        self._note(message, "duplicates")

    def redelivered(self, message: Decoded) -> None:
        """Note a repeat of our own log's making."""
        self._note(message, "redelivered")

    def _note(self, message: Decoded, kind: str) -> None:
        event = message.event
        key = (message.jurisdiction, event.feed.value, event.source.organisation, event.source.site or "")
        self._numbers[kind][key] += 1
        self._received.setdefault(key, []).append(message.known_at)
        self._occurred[key] = max(self._occurred.get(key, event.occurred_at), event.occurred_at)

    def rows(self) -> list[dict[str, object]]:
        """Return a row for each source, sorted by key."""
        return [
            {
                "jurisdiction": key[0],
                "feed": key[1],
                "organisation": key[2],
                "site": key[3],
                "first_received_at": min(received),
                "last_received_at": max(received),
                "last_occurred_at": self._occurred[key],
                **{kind: numbers[key] for kind, numbers in self._numbers.items()},
            }
            for key, received in sorted(self._received.items())
        ]


def note_sources(connection: Connection, news: SourceNews) -> None:
    """Add a batch's news to what is stored."""
    upsert(
        connection,
        feed_source,
        news.rows(),
        add=("accepted", "duplicates", "redelivered"),
        keep_greatest=("last_received_at", "last_occurred_at"),
    )


def all_sources(connection: Connection) -> Sequence[Row]:  # type: ignore[type-arg]
    """Return what is known of every source, by jurisdiction, feed, organisation and site."""
    columns = feed_source.c
    order = (columns.jurisdiction, columns.feed, columns.organisation, columns.site)
    return connection.execute(select(feed_source).order_by(*order)).all()


def note_unknown_substances(connection: Connection, messages: Iterable[Decoded], now: datetime) -> None:
    """Add strings that the taxonomy does not know to the restricted list (such a string may be a name)."""
    seen: Counter[tuple[str, str]] = Counter()
    for message in messages:
        for text in message.unknown_substances:
            seen[(text[:80], message.event.feed.value)] += 1
    rows = [
        {"text": text, "feed": feed, "first_seen_at": now, "last_seen_at": now, "times": times}
        for (text, feed), times in sorted(seen.items())
    ]
    upsert(connection, unknown_substance, rows, add=("times",), keep_greatest=("last_seen_at",))


def forget_unknown_substances(connection: Connection, last_seen_before: datetime) -> int:
    """Delete strings that were not seen since a moment; return how many."""
    done = connection.execute(
        delete(unknown_substance).where(unknown_substance.c.last_seen_at < last_seen_before)
    )
    return done.rowcount
