"""What every connector does with a decoded record: stamp it, screen it, then log or quarantine it.

Called by the HTTP API with the feed and jurisdiction of the sender's key, and by the drop folder with those of the
mapping. Pure: no database, no clock; the caller appends ``Accepted.log_records`` to the event log and puts
``Accepted.quarantined`` into quarantine, and only then tells the sender. It does not validate a message: intake does.
"""

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.events import FIELD_NAMES
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.connectors.json_bodies import BodyRefused, DecodedRecord, Problem, decode_batch
from streams.decoding import known_fields
from streams.log.port import LogRecord
from streams.quarantine import QuarantineItem
from streams.screening import describe, screen

__all__ = ["Accepted", "BodyRefused", "DecodedRecord", "Problem", "accept", "decode_batch"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a batch came to. Every decoded record is in exactly one of the two."""

    log_records: tuple[LogRecord, ...]
    quarantined: tuple[QuarantineItem, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the connector knows of a delivery, whatever the records themselves say."""

    feed: Feed
    jurisdiction: Jurisdiction
    origin: str
    """Which key or folder brought it; never a person's name."""
    received_at: datetime
    area_codes: Container[str]
    """The codes of the jurisdiction's geography: ten digits in an area field may be one, and no telephone number."""
    delivery: Delivery = Delivery.LIVE

    def log_record(self, body: bytes) -> LogRecord:
        """Return a screened body as it goes to the log."""
        return LogRecord(self.feed, self.jurisdiction, self.delivery, self.origin, self.received_at, body)

    def quarantined(
        self, place: str, problem: Problem, content: dict[str, Any] | None, *, complete: bool = False
    ) -> QuarantineItem:
        """Return what is kept of a record that was not taken; ``content`` must be screened."""
        return QuarantineItem(
            place=place,
            reason_code=problem.code,
            reason=problem.sentence,
            body=None if content is None else json.dumps(content, sort_keys=True),
            body_complete=complete,
            feed=self.feed,
            jurisdiction=self.jurisdiction,
            origin=self.origin,
            received_at=self.received_at,
            delivery=self.delivery,
        )


def accept(
    records: Iterable[DecodedRecord],
    *,
    feed: Feed,
    jurisdiction: Jurisdiction,
    origin: str,
    received_at: datetime,
    delivery: Delivery = Delivery.LIVE,
    area_codes: Container[str] = (),
) -> Accepted:
    """Stamp and screen a batch of decoded records.

    Parameters
    ----------
    records : iterable of DecodedRecord
        What :func:`decode_batch` yields.
    feed, jurisdiction
        Those of the sender's key. A record may leave them out; one that names others is quarantined.
    origin : str
        The name of the key.
    received_at : datetime
        Timezone-aware; overwrites whatever the record says.
    delivery : Delivery
        How the records came; only a live delivery may page.
    area_codes : container of str
        Codes of the loaded geography (``geography.areas``), which pass as areas whatever they look like.
    """
    stamp = Stamp(feed, jurisdiction, origin, received_at, area_codes, delivery)
    logged: list[LogRecord] = []
    quarantined: list[QuarantineItem] = []
    for record in records:
        if record.value is None:
            problem = record.problem or Problem("malformed", "The record could not be read.")
            quarantined.append(stamp.quarantined(record.place, problem, None))
            continue
        outcome = take(record.value, record.place, stamp)
        if isinstance(outcome, LogRecord):
            logged.append(outcome)
        else:
            quarantined.append(outcome)
    return Accepted(tuple(logged), tuple(quarantined))


def take(value: dict[str, Any], place: str, stamp: Stamp) -> LogRecord | QuarantineItem:
    """Screen and stamp one record, and return it as it goes to the log or to quarantine."""
    screened = screen(value, area_codes=stamp.area_codes)
    if screened.clean is not None:
        problem = Problem("identifier", describe(screened.findings))
        return stamp.quarantined(place, problem, screened.clean)
    if _holds_unknown_field(value):
        # Intake would refuse it as well. But its bytes would stand in the log until then, and nobody knows what such a
        # field says: it, or its very name, may be somebody's.
        return stamp.quarantined(place, _UNKNOWN_FIELD, known_fields(value)[0])
    for name, ours in (("feed", stamp.feed), ("jurisdiction", stamp.jurisdiction)):
        if value.get(name, ours) != ours:
            sentence = (
                f"The record names another {name} than the one it was sent to, which is {ours}; "
                f"send it with the key for its own {name}, or leave {name} out."
            )
            kept, complete = known_fields(value)
            return stamp.quarantined(place, Problem(f"wrong_{name}", sentence), kept, complete=complete)
    stamped = value | {
        "feed": stamp.feed,
        "jurisdiction": stamp.jurisdiction,
        "received_at": stamp.received_at.isoformat(),
    }
    return stamp.log_record(json.dumps(stamped, ensure_ascii=False, separators=(",", ":")).encode())


_UNKNOWN_FIELD = Problem(
    "invalid",
    "The record holds an unnamed field, which is not a field of any message; leave it out and send it again.",
)


def _holds_unknown_field(value: object) -> bool:
    if isinstance(value, dict):
        return not value.keys() <= FIELD_NAMES or any(map(_holds_unknown_field, value.values()))
    return isinstance(value, list) and any(map(_holds_unknown_field, value))
