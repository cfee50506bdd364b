"""The feeds page: for every feed and source, when it last spoke and what became of what it sent.

It never says that all is calm: it says when the last record came, and that silence cannot be told from a broken feed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection, Row, func, select

from schemas.authorise import Action
from schemas.tables.events import quarantine
from schemas.vocabulary import Feed, Jurisdiction
from streams.sources import all_sources
from tocsin.web.identity import SignedIn, places_where
from tocsin.web.rendering import render, span_words
from tocsin.web.services import Services, WebServices

router = APIRouter()

_SILENT_AFTER_DAYS = 14
"""Where the settings say nothing about a feed."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """One organisation or site of a feed."""

    name: str
    last_received_at: datetime
    last_occurred_at: datetime
    age: str
    accepted: int
    duplicates: int
    redelivered: int


@dataclass(frozen=True, slots=True)
class FeedView:
    """One feed of one jurisdiction."""

    feed: Feed
    state: str
    """``speaks``, ``silent`` or ``never``: the page says it in words too."""
    sentence: str
    accepted: int
    duplicates: int
    quarantined: int
    """Records ever put into quarantine ..."""
    waiting: int
    """... and those of them that wait for a decision."""
    sources: tuple[SourceView, ...]


@router.get("/feeds")
def feeds(request: Request, services: Services, visitor: SignedIn) -> Response:
    """Show every feed of the jurisdictions whose feeds the visitor may see."""
    places = places_where(visitor.principal, Action.VIEW_FEEDS)
    now = services.clock.now()
    with services.database.read() as connection:
        rows = all_sources(connection)
        set_aside = _quarantined(connection)
    shown = [
        (
            name_of(services, place),
            [
                feed_view(
                    services,
                    [row for row in rows if (row.jurisdiction, row.feed) == (place, feed)],
                    feed,
                    set_aside.get((place, feed), {}),
                    now,
                )
                for feed in Feed
            ],
        )
        for place in places
    ]
    return render(request, "feeds.html", {"places": shown, "now": now})


def feed_view(
    services: WebServices, rows: Sequence[Row[Any]], feed: Feed, set_aside: Mapping[str, int], now: datetime
) -> FeedView:
    """Return what there is to say of one feed, from the rows of its sources."""
    sources = tuple(
        SourceView(
            name=f"{row.organisation}, {row.site}" if row.site else row.organisation,
            last_received_at=row.last_received_at,
            last_occurred_at=row.last_occurred_at,
            age=span_words(now - row.last_received_at),
            accepted=row.accepted,
            duplicates=row.duplicates,
            redelivered=row.redelivered,
        )
        for row in rows
    )
    state, sentence = (
        "never",
        "No record was ever received. Nothing can be said about what this feed would show.",
    )
    if sources:
        age = now - max(source.last_received_at for source in sources)
        days = services.desk.settings.silent_after_days.get(feed, _SILENT_AFTER_DAYS)
        if age > timedelta(days=days):
            state = "silent"
            sentence = (
                f"No record for {span_words(age)}. A quiet time and a broken feed look the same from here."
            )
        else:
            state = "speaks"
            sentence = f"Last record {span_words(age)} ago."
    return FeedView(
        feed=feed,
        state=state,
        sentence=sentence,
        accepted=sum(source.accepted for source in sources),
        duplicates=sum(source.duplicates for source in sources),
        quarantined=sum(set_aside.values()),
        waiting=set_aside.get("waiting", 0),
        sources=sources,
    )


def name_of(services: WebServices, jurisdiction: Jurisdiction) -> str:
    """Return what people call a jurisdiction."""
    profile = services.profiles.get(jurisdiction)
    return profile.name if profile is not None else jurisdiction


def _quarantined(connection: Connection) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """Return how many records of each jurisdiction and feed are waiting, released and discarded."""
    columns = quarantine.c
    rows = connection.execute(
        select(columns.jurisdiction, columns.feed, columns.state, func.count()).group_by(
            columns.jurisdiction, columns.feed, columns.state
        )
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for jurisdiction, feed, state, number in rows:
        found.setdefault((jurisdiction, feed), {})[state] = number
    return found
