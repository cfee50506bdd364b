"""Event versions: what each message does to what is already known.

Identity is (source, event id). The same content again is a repeat; other content is the next version. Where a feed
numbers its versions, the number decides: the same number with other content is refused, and a lower number than the
current one is kept as history and never becomes current. Where it does not, a message that repeats an *older* version's
content is a late repeat, unless it says that it is a correction; and a new record that comes after its own correction or
retraction is kept as history.

Every version is kept with when it became known and when it ceased to be current, so that what was known at any past
moment can be read back (:func:`known_at`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from schemas.events import Status
from schemas.tables.events import event_version
from streams.counting import Contribution, contribution_of
from streams.decoding import Decoded, Refusal

EVENT = event_version.c
_RETENTION = timedelta(days=3653)
_KEYS_A_QUERY = 500


@dataclass
class Outcome:
    """What a batch of messages did."""

    stored: list[Decoded] = field(default_factory=list)
    """Messages kept as a version, current or not."""
    current: list[Decoded] = field(default_factory=list)
    """Those that now stand as their event's current version and were not retracted."""
    duplicates: list[Decoded] = field(default_factory=list)
    refused: list[tuple[Decoded, Refusal]] = field(default_factory=list)
    contributions: list[tuple[Contribution, int]] = field(default_factory=list)
    """What to add to (1) and take from (-1) the counts."""
    withdrawn: list[str] = field(default_factory=list)
    """Identities whose counted facts were taken back or moved; one that only gained a class is not among them."""


@dataclass
class _Known:
    """One stored version, as far as comparison needs it."""

    version: int
    sender_version: int | None
    content_hash: str
    jurisdiction: str
    feed: str
    status: str
    known_at: datetime
    is_current: bool
    contribution: Contribution | None
    """Nothing for a retraction."""
    row_id: int | None
    """Nothing while it waits to be inserted."""
    pending: dict[str, Any] | None = None


class Verdict(StrEnum):
    """What a message is, beside what is stored of the same identity."""

    NEXT = "next"
    OLDER = "older"
    """A lower version number than the current one, or an original after its correction: history, never current."""
    REPEAT = "repeat"


def apply(connection: Connection, messages: Sequence[Decoded]) -> Outcome:
    """Compare ``messages``, in order, with what is stored, and write the new versions."""
    writing = _Writing(_stored(connection, {message.identity for message in messages}))
    for message in messages:
        writing.take(message)
    writing.write(connection)
    return writing.outcome


class _Writing:
    """The versions that one batch makes, before they are written."""

    def __init__(self, history: defaultdict[str, list[_Known]]) -> None:
        self.outcome = Outcome()
        self._history = history
        self._inserts: list[dict[str, Any]] = []
        self._superseded: list[tuple[int, datetime]] = []

    def take(self, message: Decoded) -> None:
        """Compare one message with what is known by now, and note what it does."""
        known = self._history[message.identity]
        current = next((one for one in known if one.is_current), None)
        try:
            verdict = _verdict(message, known, current)
        except Refusal as refusal:
            self.outcome.refused.append((message, refusal))
            return
        if verdict is Verdict.REPEAT:
            self.outcome.duplicates.append(message)
            return
        known_at = max([message.known_at, *(one.known_at for one in known)])
        contribution = None if message.event.status is Status.RETRACTED else _contribution(message)
        row = _row(message, version=max((one.version for one in known), default=0) + 1, known_at=known_at)
        if verdict is Verdict.OLDER:
            row["superseded_at"] = known_at
        else:
            if current is not None:
                self._supersede(message, current, contribution, known_at)
            if contribution is not None:
                self.outcome.contributions.append((contribution, 1))
        self._inserts.append(row)
        known.append(_known_from(message, row, contribution, is_current=verdict is Verdict.NEXT))
        self.outcome.stored.append(message)

    def _supersede(
        self, message: Decoded, current: _Known, contribution: Contribution | None, known_at: datetime
    ) -> None:
        current.is_current = False
        if current.pending is not None:
            current.pending["superseded_at"] = known_at
        elif current.row_id is not None:
            self._superseded.append((current.row_id, known_at))
        if current.contribution is None:
            return
        self.outcome.contributions.append((current.contribution, -1))
        if not _still_says(current.contribution, contribution):
            self.outcome.withdrawn.append(message.identity)

    def write(self, connection: Connection) -> None:
        """Write everything that was noted."""
        for row_id, known_at in self._superseded:
            connection.execute(update(event_version).where(EVENT.id == row_id).values(superseded_at=known_at))
        if self._inserts:
            connection.execute(insert(event_version), self._inserts)
        self.outcome.current = [
            message
            for message, row in zip(self.outcome.stored, self._inserts, strict=True)
            if row["superseded_at"] is None and message.event.status is not Status.RETRACTED
        ]


def _verdict(message: Decoded, known: Sequence[_Known], current: _Known | None) -> Verdict:
    """Say what a message is, or raise :class:`Refusal`."""
    if any(one.feed != message.event.feed.value for one in known):
        sentence = "The same source has used this event_id in another feed; give the record an id of its own."
        raise _refusal("identity_in_other_feed", sentence, message)
    if any(one.jurisdiction != message.jurisdiction for one in known):
        # Whoever may speak for one jurisdiction may not change what another counts.
        sentence = "The same source has used this event_id in another jurisdiction; give the record an id of its own."
        raise _refusal("identity_in_other_jurisdiction", sentence, message)
    if message.event.version is not None:
        return _verdict_by_number(message, message.event.version, known, current)
    if current is not None and current.content_hash == message.content_hash:
        return Verdict.REPEAT
    if message.event.status is not Status.NEW:
        return Verdict.NEXT
    if any(one.content_hash == message.content_hash for one in known):
        return Verdict.REPEAT
    came_after_its_correction = known and all(one.status != Status.NEW for one in known)
    return Verdict.OLDER if came_after_its_correction else Verdict.NEXT


def _verdict_by_number(
    message: Decoded, number: int, known: Sequence[_Known], current: _Known | None
) -> Verdict:
    same = next((one for one in known if one.sender_version == number), None)
    if same is not None:
        if same.content_hash == message.content_hash:
            return Verdict.REPEAT
        sentence = (
            "The same event_id and version arrived before with other content; send the change under the next version "
            "number."
        )
        raise _refusal("version_conflict", sentence, message)
    is_older = current is not None and current.sender_version is not None and number < current.sender_version
    return Verdict.OLDER if is_older else Verdict.NEXT


def _refusal(code: str, sentence: str, message: Decoded) -> Refusal:
    return Refusal(code, sentence, message.item.record.body.decode(), complete=True)


def _known_from(
    message: Decoded, row: dict[str, Any], contribution: Contribution | None, *, is_current: bool
) -> _Known:
    return _Known(
        version=row["version"],
        sender_version=message.event.version,
        content_hash=message.content_hash,
        jurisdiction=message.jurisdiction,
        feed=message.event.feed.value,
        status=message.event.status.value,
        known_at=row["known_at"],
        is_current=is_current,
        contribution=contribution,
        row_id=None,
        pending=row,
    )


def _still_says(before: Contribution, after: Contribution | None) -> bool:
    """Whether all that was counted before is counted still, in the same place and on the same day."""
    if after is None or not set(before.classes) <= set(after.classes):
        return False
    return replace(before, classes=after.classes) == after


def _stored(connection: Connection, identities: set[str]) -> defaultdict[str, list[_Known]]:
    history: defaultdict[str, list[_Known]] = defaultdict(list)
    keys = sorted(identities)
    for start in range(0, len(keys), _KEYS_A_QUERY):
        rows = connection.execute(
            select(
                EVENT.id,
                EVENT.identity,
                EVENT.version,
                EVENT.sender_version,
                EVENT.content_hash,
                EVENT.jurisdiction,
                EVENT.feed,
                EVENT.area,
                EVENT.grain,
                EVENT.day,
                EVENT.stratum,
                EVENT.classes,
                EVENT.status,
                EVENT.known_at,
                EVENT.superseded_at,
            )
            .where(EVENT.identity.in_(keys[start : start + _KEYS_A_QUERY]))
            .order_by(EVENT.identity, EVENT.version)
        )
        for row in rows:
            retracted = row.status == Status.RETRACTED.value
            history[row.identity].append(
                _Known(
                    version=row.version,
                    sender_version=row.sender_version,
                    content_hash=row.content_hash,
                    jurisdiction=row.jurisdiction,
                    feed=row.feed,
                    status=row.status,
                    known_at=row.known_at,
                    is_current=row.superseded_at is None,
                    contribution=None if retracted else contribution_of(row),
                    row_id=row.id,
                )
            )
    return history


def _contribution(message: Decoded) -> Contribution:
    """Return what a message adds to the counts while it is current."""
    return Contribution(
        jurisdiction=message.jurisdiction,
        feed=message.event.feed.value,
        area=message.area,
        grain=message.grain,
        day=message.day,
        stratum=message.stratum.value,
        classes=message.classes,
    )


def _row(message: Decoded, *, version: int, known_at: datetime) -> dict[str, Any]:
    event = message.event
    return {
        "identity": message.identity,
        "version": version,
        "sender_version": event.version,
        "content_hash": message.content_hash,
        "jurisdiction": message.jurisdiction,
        "feed": event.feed.value,
        "organisation": event.source.organisation,
        "site": event.source.site,
        "status": event.status.value,
        "delivery": message.item.record.delivery.value,
        "occurred_at": event.occurred_at,
        "precision": event.precision.value,
        "grain": message.grain,
        "day": message.day,
        "area": message.area,
        "detection_area": message.detection_area,
        "stratum": message.stratum.value,
        "classes": " ".join(message.classes),
        "known_at": known_at,
        "superseded_at": None,
        "scene": event.scene,
        "subject": event.subject,
        "body": dict(message.body),
        "retain_until": message.day + _RETENTION,
    }


def known_at(moment: datetime) -> ColumnElement[bool]:
    """Return the condition that picks the versions that stood at ``moment``: the database as known then.

    A version that became known at ``moment`` exactly is included.
    """
    return and_(
        EVENT.known_at <= moment,
        or_(EVENT.superseded_at.is_(None), EVENT.superseded_at > moment),
        EVENT.status != Status.RETRACTED.value,
    )


def forget_tokens(connection: Connection, known_before: datetime) -> int:
    """Drop scene and subject tokens of events known before a moment; return how many rows lost one."""
    done = connection.execute(
        update(event_version)
        .where(EVENT.known_at < known_before, or_(EVENT.scene.is_not(None), EVENT.subject.is_not(None)))
        .values(scene=None, subject=None)
    )
    return done.rowcount
