"""Sessions: a random value in the visitor's cookie, its hash in the database.

Sign-in starts one, every page looks one up, sign-out ends one. A stolen database opens no session, and deleting
its row ends a session at once. The moments come from the caller: a session's age is measured on the injected clock.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, or_, select, update

from schemas.tables.web import web_session

_SESSION = web_session.c

SEEN_EVERY = timedelta(minutes=5)
"""A session in use is written down at most this often, so that reading a page seldom waits for a writer's turn."""


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor's session."""

    id: str
    person: str
    seen_at: datetime


def start(connection: Connection, person: str, now: datetime, *, longest: timedelta) -> str:
    """Start a session for a person; return the value for their cookie, which is kept nowhere else."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(web_session).values(
            id=_hash(token), person=person, started_at=now, seen_at=now, expires_at=now + longest
        )
    )
    return token


def find(connection: Connection, token: str, now: datetime, *, idle: timedelta) -> Session | None:
    """Return the session that a cookie's value opens; nothing if it has ended, expired or never was."""
    row = connection.execute(
        select(web_session).where(
            _SESSION.id == _hash(token), _SESSION.expires_at > now, _SESSION.seen_at > now - idle
        )
    ).one_or_none()
    return Session(row.id, row.person, row.seen_at) if row is not None else None


def touch(connection: Connection, session: Session, now: datetime) -> None:
    """Note that a session is in use."""
    connection.execute(update(web_session).where(_SESSION.id == session.id).values(seen_at=now))


def end(connection: Connection, session: Session) -> None:
    """End one session."""
    connection.execute(delete(web_session).where(_SESSION.id == session.id))


def forget_expired(connection: Connection, now: datetime, *, idle: timedelta) -> int:
    """Delete the sessions that no cookie opens any more; return how many there were."""
    over = or_(_SESSION.expires_at <= now, _SESSION.seen_at <= now - idle)
    return connection.execute(delete(web_session).where(over)).rowcount


def form_token(token: str, secret_key: str) -> str:
    """Return the value that every form of a session must carry: another site can neither read nor work it out."""
    return hmac.new(secret_key.encode(), b"form\x1f" + token.encode(), hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
