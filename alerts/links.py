"""Signed acknowledge links: one incident's notice, one person, one purpose, until a written moment.

The sender puts one into each message that wants an answer; the console's route reads it. Opening a link shows, and only
posting acts, because mail scanners open links. A link holds ids and no secret; it proves the mailbox, and its principal
may acknowledge and nothing else (``schemas.authorise``). The expiry is in the link, by our own clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer

from alerts.settings import LinkSettings

ACKNOWLEDGE_PATH: Final = "/acknowledge"
INCIDENT_PATH: Final = "/incidents"
_PURPOSE: Final = "tocsin.acknowledge.1"


class UnusableLinkError(ValueError):
    """The link opens nothing; the sentence says why, for the person who followed it."""


@dataclass(frozen=True, slots=True)
class AcknowledgeLink:
    """What an acknowledge link says."""

    incident_id: str
    notice: int
    person: str
    expires_at: datetime


def acknowledge_url(links: LinkSettings, incident_id: str, notice: int, person: str, now: datetime) -> str:
    """Return the address that lets ``person`` acknowledge this notice of the incident, from now until it expires."""
    until = int((now + timedelta(hours=links.acknowledge_hours)).timestamp())
    token = _serializer(links).dumps([incident_id, notice, person, until])
    return f"{links.base_url.rstrip('/')}{ACKNOWLEDGE_PATH}/{_text(token)}"


def incident_url(links: LinkSettings, incident_id: str) -> str:
    """Return the address of the incident in the console, behind the sign-in."""
    return f"{links.base_url.rstrip('/')}{INCIDENT_PATH}/{incident_id}"


def read_acknowledge_token(links: LinkSettings, token: str, now: datetime) -> AcknowledgeLink:
    """Return what an acknowledge link says (``token`` is the last part of its path).

    Raises
    ------
    UnusableLinkError
        If we did not sign it for this purpose, or it has expired.
    """
    try:
        incident_id, notice, person, until = _serializer(links).loads(token)
    except (BadSignature, ValueError, TypeError) as error:
        msg = "This link is not complete. Copy it whole from the message, or sign in to acknowledge."
        raise UnusableLinkError(msg) from error
    expires_at = datetime.fromtimestamp(until, UTC)
    if now >= expires_at:
        msg = "This link has expired. Sign in to acknowledge."
        raise UnusableLinkError(msg)
    return AcknowledgeLink(incident_id, notice, person, expires_at)


def _serializer(links: LinkSettings) -> URLSafeSerializer:
    return URLSafeSerializer(links.secret.get_secret_value(), salt=_PURPOSE)


def _text(token: str | bytes) -> str:
    return token if isinstance(token, str) else token.decode()
