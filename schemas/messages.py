"""Messages to people: what a channel is given to send, and what it answers.

The words are made in the transaction that gives the reason for the message and are safe outside
(``schemas/disclosure.py``); a message never holds a true small number. ``alerts`` makes them and ``alerts.channels``
sends them.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.disclosure import Classification, CountBand
from schemas.vocabulary import Jurisdiction, Slug


class MessageKind(StrEnum):
    """Why somebody hears of an incident."""

    PAGE = "page"
    """First step of a notice: please acknowledge."""
    REMINDER = "reminder"
    """A later step: nobody has acknowledged yet."""
    REVIEW = "review"
    """For the next working day: no acknowledgement is waited for."""
    HAS_IT = "has_it"
    """Quiet word to those already paged: somebody has it."""
    LAPSED = "lapsed"
    """An acknowledgement passed its review-by."""
    WITHDRAWN = "withdrawn"
    """Evidence behind an incident was taken back."""
    ASK_CLOSE = "ask_close"
    """No new evidence for 14 days: may it be closed?"""
    TEST = "test"
    """Somebody tries whether a channel reaches a person; it is about no incident."""

    @property
    def rings(self) -> bool:
        """Whether it wants an answer now, and so carries an acknowledge link."""
        return self in (MessageKind.PAGE, MessageKind.REMINDER, MessageKind.LAPSED)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OutsideCard(_Model):
    """An incident in words that may leave: the body of a message, as the outbox keeps it."""

    classification: Classification = Classification.OUTSIDE
    title: Annotated[str, Field(max_length=120, pattern=r"^[^\r\n]*$")]
    """One line: subject of an e-mail."""
    lines: tuple[str, ...]
    strip: tuple[CountBand, ...] = ()
    """The last 14 days, oldest first: none, 1-7 or 8+."""
    strip_label: str = ""


class Message(_Model):
    """One message on its way to one person by one channel."""

    delivery_id: str
    """The same for the same attempt, whichever process makes it."""
    kind: MessageKind
    jurisdiction: Jurisdiction
    incident_id: str | None
    recipient: Slug
    recipient_name: str
    address: str | None
    """What the channel needs to reach the recipient, such as an e-mail address; none for a log."""
    card: OutsideCard
    acknowledge_url: str | None = None
    incident_url: str | None = None
    possible_repeat: bool = False
    """An earlier attempt may have arrived: the message must say so."""
    created_at: AwareDatetime
    sent_at: AwareDatetime


class Receipt(_Model):
    """A channel's word that it has handed a message on."""

    reference: Annotated[str, Field(max_length=200)] = ""
    """The channel's own identifier of what it sent, such as a Message-ID."""
