"""The keys by which feeds are sent in: made once, shown once, kept as a hash, revocable.

The command line makes and revokes them, ingest looks them up. A key belongs to one feed of one jurisdiction and, if it
says so, to one organisation. It reads ``tocsin_ID_SECRET``: the identifier finds the row and names the key to
people; the secret has 256 random bits, so that a plain SHA-256 of the whole is enough.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from schemas.tables.web import api_key
from schemas.vocabulary import Feed, Jurisdiction

_KEY = api_key.c
_FORM = re.compile(r"tocsin_(?P<id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a key allows."""

    id: str
    jurisdiction: Jurisdiction
    feed: Feed
    organisation: str | None
    may_backfill: bool

    @property
    def origin(self) -> str:
        """How records that it brought name it."""
        return f"key:{self.id}"


class UnknownKey(LookupError):  # noqa: N818 (what it means to the person who typed it)
    """There is no such key, or it was revoked already."""


def create_api_key(
    connection: Connection,
    *,
    jurisdiction: Jurisdiction,
    feed: Feed,
    organisation: str | None,
    may_backfill: bool,
    by: str,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key; return what it allows and the key itself, which cannot be shown again.

    Parameters
    ----------
    organisation : str or None
        The only organisation whose records it may bring; None for a gateway that brings those of several.
    may_backfill : bool
        Whether it may mark a delivery as a backfill, which never pages.
    by : str
        Who made it: a person's id, or ``shell``.
    """
    made = ApiKey(secrets.token_hex(6), jurisdiction, feed, organisation, may_backfill)
    key = f"tocsin_{made.id}_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(api_key).values(
            id=made.id,
            hash=_hash(key),
            jurisdiction=jurisdiction,
            feed=feed.value,
            organisation=organisation,
            may_backfill=may_backfill,
            created_at=now,
            created_by=by,
        )
    )
    return made, key


def find_api_key(connection: Connection, key: str) -> ApiKey | None:
    """Return what a key allows; nothing if it is not one of ours, is wrong or was revoked."""
    form = _FORM.fullmatch(key)
    row = (
        connection.execute(
            select(api_key).where(_KEY.id == form["id"], _KEY.revoked_at.is_(None))
        ).one_or_none()
        if form
        else None
    )
    # Compared even when there is no row, and in constant time: how long it takes tells nothing.
    if not hmac.compare_digest(_hash(key), row.hash if row is not None else _NO_HASH) or row is None:
        return None
    return _as_key(row)


def revoke_api_key(connection: Connection, number: str, *, by: str, now: datetime) -> ApiKey:
    """Revoke a key by its identifier; return what it allowed.

    Raises
    ------
    UnknownKey
        If there is none, or it was revoked already.
    """
    done = connection.execute(
        update(api_key)
        .where(_KEY.id == number, _KEY.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=by)
    )
    if done.rowcount != 1:
        msg = "There is no such key in force; list the keys to see which there are."
        raise UnknownKey(msg)
    return _as_key(connection.execute(select(api_key).where(_KEY.id == number)).one())


def list_api_keys(connection: Connection) -> Sequence[Row]:  # type: ignore[type-arg]
    """Return every key ever made, the oldest first, without its hash."""
    columns = [column for column in api_key.columns if column.name != "hash"]
    return connection.execute(select(*columns).order_by(_KEY.created_at, _KEY.id)).all()


def _as_key(row: Row) -> ApiKey:  # type: ignore[type-arg]
    return ApiKey(row.id, Jurisdiction(row.jurisdiction), Feed(row.feed), row.organisation, row.may_backfill)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
