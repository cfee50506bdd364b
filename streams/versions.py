"""Event versions: what each message does to what is already known.

Identity is (source, event id). The same content again is a repeat; other content is the next version. Where a feed
numbers its versions, the number decides: the same number with other content is refused, and a lower number than the
current one is kept as history and never becomes current. Where it does not, a message that repeats an *older* version's
content is a late repeat, unless it says that it is a correction.

Every version is kept with when it became known and when it ceased to be current, so that what was known at any past
moment can be read back (:func:`known_at`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from schemas.events import Status
from schemas.tables.events import event_version
from streams.counting import Contribution
from streams.counting import contribution_of as stored_contribution
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
    """Identities whose counted facts were taken back or moved elsewhere; one that only gained a class is not among them."""


@dataclass
class _Known:
    """One stored version, as far as comparison needs it."""

    version: int
    sender_version: int | None
    content_hash: str
    feed: str
    known_at: datetime
    is_current: bool
    contribution: Contribution | None
    """Nothing for a retraction."""
    row_id: int | None
    """Nothing while it waits to be inserted."""
    pending: dict[str, Any] | None = None


def apply(connection: Connection, messages: Sequence[Decoded]) -> Outcome:
    """Compare ``messages``, in order, with what is stored, and write the new versions."""
    outcome = Outcome()
    history = _stored(connection, {message.identity for message in messages})
    inserts: list[dict[str, Any]] = []
    superseded: list[tuple[int, datetime]] = []
    for message in messages:
        known = history[message.identity]
        current = next((one for one in known if one.is_current), None)
        verdict = _verdict(message, known, current)
        if isinstance(verdict, Refusal):
            outcome.refused.append((message, verdict))
            continue
        if verdict == "repeat":
            outcome.duplicates.append(message)
            continue
        becomes_current = verdict == "next"
        stamp = max([message.known_at, *(one.known_at for one in known)])
        contribution = None if message.event.status is Status.RETRACTED else contribution_of(message)
        row = _row(message, version=max((one.version for one in known), default=0) + 1, known_at=stamp)
        if becomes_current and current is not None:
            current.is_current = False
            if current.pending is not None:
                current.pending["superseded_at"] = stamp
            elif current.row_id is not None:
                superseded.append((current.row_id, stamp))
            if current.contribution is not None and not _still_says(current.contribution, contribution):
                outcome.withdrawn.append(message.identity)
            if current.contribution is not None:
                outcome.contributions.append((current.contribution, -1))
        if not becomes_current:
            row["superseded_at"] = stamp
        elif contribution is not None:
            outcome.contributions.append((contribution, 1))
        inserts.append(row)
        known.append(
            _Known(
                version=row["version"],
                sender_version=message.event.version,
                content_hash=message.content_hash,
                feed=message.event.feed.value,
                known_at=stamp,
                is_current=becomes_current,
                contribution=contribution,
                row_id=None,
                pending=row,
            )
        )
        outcome.stored.append(message)
    if superseded:
        for row_id, stamp in superseded:
            connection.execute(update(event_version).where(EVENT.id == row_id).values(superseded_at=stamp))
    if inserts:
        connection.execute(insert(event_version), inserts)
    standing = {(row["identity"], row["version"]) for row in inserts if row["superseded_at"] is None}
    by_version = zip(outcome.stored, inserts, strict=True)
    outcome.current = [
        message
        for message, row in by_version
        if (row["identity"], row["version"]) in standing and message.event.status is not Status.RETRACTED
    ]
    return outcome


def _verdict(message: Decoded, known: Sequence[_Known], current: _Known | None) -> Refusal | str:
    """Return ``next``, ``older``, ``repeat`` or why the message is refused."""
    if any(one.feed != message.event.feed.value for one in known):
        return Refusal(
            "identity_in_other_feed",
            "The same source has used this event_id in another feed; give the record an id of its own.",
            message.item.record.body.decode(),
            complete=True,
        )
    number = message.event.version
    if number is not None:
        for one in known:
            if one.sender_version == number:
                if one.content_hash == message.content_hash:
                    return "repeat"
                return Refusal(
                    "version_conflict",
                    "The same event_id and version arrived before with other content; send the change under the next "
                    "version number.",
                    message.item.record.body.decode(),
                    complete=True,
                )
        if current is not None and current.sender_version is not None and number < current.sender_version:
            return "older"
        return "next"
    if current is not None and current.content_hash == message.content_hash:
        return "repeat"
    if message.event.status is Status.NEW and any(one.content_hash == message.content_hash for one in known):
        return "repeat"
    return "next"


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
                    feed=row.feed,
                    known_at=row.known_at,
                    is_current=row.superseded_at is None,
                    contribution=None if retracted else stored_contribution(row),
                    row_id=row.id,
                )
            )
    return history


def contribution_of(message: Decoded) -> Contribution:
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
