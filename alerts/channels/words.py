"""The lines of a message that every channel shows alike: the card, what to do, and whether it may be a repeat."""

from typing import Final

from schemas.messages import Message, MessageKind

REPEAT: Final = "You may have had this already."

_PREFIX: Final = {
    MessageKind.PAGE: "PAGE",
    MessageKind.REMINDER: "PAGE, again",
    MessageKind.REVIEW: "For review",
    MessageKind.HAS_IT: "Somebody has it",
    MessageKind.LAPSED: "Acknowledgement lapsed",
    MessageKind.WITHDRAWN: "Evidence withdrawn",
    MessageKind.ASK_CLOSE: "May this be closed?",
    MessageKind.TEST: "Test",
}


def subject_of(message: Message) -> str:
    """Return one line that says what kind of message it is, of which incident and where."""
    return f"{_PREFIX[message.kind]}: {message.card.title}"


def lines_of(message: Message) -> tuple[str, ...]:
    """Return what the message says, a sentence or two a line."""
    return (REPEAT, *message.card.lines) if message.possible_repeat else message.card.lines
