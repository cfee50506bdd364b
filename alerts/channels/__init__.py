"""Channels: how a message reaches a person. A port of one method, and an adapter a folder or module.

The sender calls :meth:`Channel.send` outside any transaction; wiring makes the adapters that the settings name. An
adapter must never decide whether a message is wanted, retry by itself, or write to the database.
"""

from datetime import timedelta
from typing import Protocol

from schemas.messages import Message, Receipt


class Channel(Protocol):
    """One way out. On purpose it raises :class:`TransientFailure` or :class:`PermanentFailure` and nothing else."""

    @property
    def name(self) -> str:
        """The name that the outbox stores."""
        ...

    def send(self, message: Message) -> Receipt:
        """Hand the message on, and return once somebody else is responsible for it.

        Raises
        ------
        TransientFailure
            If trying again later may work.
        PermanentFailure
            If it will not, however often it is tried.
        """
        ...


class TransientFailure(Exception):  # noqa: N818 (what happened, not a mistake in the program)
    """It did not go now; it may go later.

    Parameters
    ----------
    code : str
        A short code for the outbox and metrics, such as ``smtp_451``: never an address or a server's own words, which
        may repeat one.
    retry_after : timedelta, optional
        How long the other side asks us to wait.
    may_have_arrived : bool
        Whether it was handed over and only the answer is missing.
    """

    def __init__(
        self, code: str, *, retry_after: timedelta | None = None, may_have_arrived: bool = False
    ) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        self.may_have_arrived = may_have_arrived


class PermanentFailure(Exception):  # noqa: N818 (as above)
    """It will never go: no such address, refused for good, not configured."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
