"""The sender: claims messages from the outbox, hands them to their channel, notes what came of it.

The engine drives it as a job; several may run at once. A claim, and what came of it, are transactions of their own; the
channel is called between the two, outside any. A process that dies in between leaves a claim that runs out: the message
goes again and says that its reader may have had it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from alerts import escalation, outbox
from alerts.channels import Channel, PermanentFailure, TransientFailure
from alerts.desk import Desk
from alerts.links import acknowledge_url, incident_url
from alerts.people import find_person
from alerts.serialise import hold
from schemas.clock import Clock
from schemas.database import Database
from schemas.messages import Message, MessageKind, Receipt

log = structlog.get_logger(__name__)


class SendCounter(Protocol):
    """What the sender tells metrics: a channel and an outcome, never a person or an incident."""

    def sent(self, channel: str, outcome: str) -> None:
        """One attempt ended: ``sent``, ``transient``, ``permanent`` or ``gave_up``."""
        ...


@dataclass(frozen=True, slots=True)
class _Uncounted:
    def sent(self, channel: str, outcome: str) -> None:
        """Count nothing."""


class Sender:
    """The engine's job that empties the outbox.

    Parameters
    ----------
    database : Database
    channels : mapping of str to Channel
        By the names that the outbox stores.
    clock : Clock
        Read again after the network answered.
    desk : Desk
    owner : str
        Names this process in claims.
    counter : SendCounter, optional
        Hears of every attempt.
    """

    name = "sender"

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        desk: Desk,
        owner: str = "sender",
        counter: SendCounter | None = None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._desk = desk
        self._owner = owner
        self._counter = counter or _Uncounted()

    def next_due(self, now: datetime) -> datetime | None:  # noqa: ARG002 (the engine asks every job alike)
        """Return when the next message is to be tried; None while nothing is owed."""
        with self._database.read() as connection:
            return outbox.next_due(connection)

    def run(self, now: datetime) -> None:
        """Try every message that is due; each claim counts from its own moment, for a slow server takes its time."""
        while self.send_one(max(now, self._clock.now())):
            pass

    def send_one(self, now: datetime) -> bool:
        """Claim one message and try it; return whether there was one."""
        lease = timedelta(seconds=self._desk.settings.sender.lease_seconds)
        with self._database.write() as connection:
            claim = outbox.claim_next(connection, now, owner=self._owner, lease=lease)
            if claim is None:
                return False
            person = find_person(connection, self._desk, claim.recipient)
        message = self._message(claim, person.name if person else None, person.email if person else None, now)
        channel = self._channels.get(claim.channel)
        try:
            if channel is None:
                raise PermanentFailure("no_such_channel")  # noqa: TRY301 (the same answer as a channel's own)
            if person is None:
                raise PermanentFailure("no_such_person")  # noqa: TRY301 (as above)
            receipt = _sent_by(channel, message)
        except TransientFailure as failure:
            self._failed_for_now(claim, failure)
        except PermanentFailure as failure:
            self._failed(claim, failure.code, "permanent")
        else:
            with self._database.write() as connection:
                outbox.finish(connection, claim, self._clock.now(), detail=receipt.reference)
            self._counter.sent(claim.channel, "sent")
        return True

    def _message(self, claim: outbox.Claim, name: str | None, address: str | None, now: datetime) -> Message:
        links = self._desk.settings.links
        answerable = claim.kind.rings and claim.incident_id is not None
        return Message(
            delivery_id=claim.delivery_id,
            kind=claim.kind,
            jurisdiction=claim.jurisdiction,
            incident_id=claim.incident_id,
            recipient=claim.recipient,
            recipient_name=name or claim.recipient,
            address=address,
            card=claim.card,
            acknowledge_url=(
                acknowledge_url(links, claim.incident_id, claim.notice, claim.recipient, now)
                if answerable and claim.incident_id is not None
                else None
            ),
            incident_url=incident_url(links, claim.incident_id) if claim.incident_id is not None else None,
            possible_repeat=claim.possible_repeat,
            created_at=claim.created_at,
            sent_at=now,
        )

    def _failed_for_now(self, claim: outbox.Claim, failure: TransientFailure) -> None:
        settings = self._desk.settings.sender
        # An attempt that ended with its process says nothing about the message: only answers count.
        with self._database.read() as connection:
            failed = outbox.failed_attempts(connection, claim.outbox_id) + 1
        if failed >= settings.most_attempts:
            self._failed(claim, f"gave up after {failed} attempts: {failure.code}", "gave_up")
            return
        wait = min(settings.first_retry_seconds * 2 ** (failed - 1), settings.longest_retry_seconds)
        pause = max(timedelta(seconds=wait), failure.retry_after or timedelta())
        with self._database.write() as connection:
            now = self._clock.now()
            outbox.retry_at(
                connection,
                claim,
                now,
                now + pause,
                code=failure.code,
                may_have_arrived=failure.may_have_arrived,
            )
        self._counter.sent(claim.channel, "transient")

    def _failed(self, claim: outbox.Claim, code: str, outcome: str) -> None:
        """Give the message up; if it was a page, do not wait for the next step's time."""
        with self._database.write() as connection:
            now = self._clock.now()
            if claim.incident_id is not None and claim.kind in (MessageKind.PAGE, MessageKind.REMINDER):
                hold(connection, claim.jurisdiction)
            outbox.give_up(connection, claim, now, code=code)
            if claim.incident_id is not None and claim.kind in (MessageKind.PAGE, MessageKind.REMINDER):
                escalation.hurry(connection, claim.incident_id, claim.notice, now, desk=self._desk)
        self._counter.sent(claim.channel, outcome)


def _sent_by(channel: Channel, message: Message) -> Receipt:
    """Hand a message to its channel; a fault of ours in the channel is tried again, and must not end the process."""
    try:
        return channel.send(message)
    except (TransientFailure, PermanentFailure):
        raise
    except Exception as error:
        log.exception("sender.channel_fault", channel=channel.name)
        raise TransientFailure("channel_fault", may_have_arrived=True) from error
