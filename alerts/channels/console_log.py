"""The console log: each message as a few lines of text, in safe words. For the demo, replay and a first installation.

It wakes nobody. Logs are read by people who are not on call, so it shows no acknowledge link and no serious outcome.
"""

from collections.abc import Callable

from alerts.channels.words import lines_of, subject_of
from alerts.outbox import CONSOLE_LOG
from schemas.messages import Message, Receipt


class ConsoleLog:
    """Writes messages as text.

    Parameters
    ----------
    write : callable
        Takes one line without its end, such as ``click.echo``.
    """

    name = CONSOLE_LOG

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def send(self, message: Message) -> Receipt:
        """Write the message; see :class:`alerts.channels.Channel`."""
        self._write(f"To {message.recipient}. {subject_of(message)}")
        for line in lines_of(message):
            self._write(f"    {line}")
        return Receipt(reference=message.delivery_id)
