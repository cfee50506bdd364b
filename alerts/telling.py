"""From an incident in the database to the words of a message: reads the facts, and notes what is said outside.

Notices, escalation and acknowledgement call :func:`cards_for` in their own transaction; the console calls
:func:`card_facts` in a reading one. Whatever is said outside about a count is kept, so that later statements cannot be
subtracted from it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from alerts.card import FEED_NAMES, CardFacts, FeedLine, FeedState, outside_card
from alerts.desk import Desk
from alerts.evidence import LOOK_BACK_DAYS, STRIP_DAYS, daily_counts, last_days, sights
from alerts.ids import digest
from alerts.outbox import CONSOLE_LOG
from alerts.serialise import insert_missing
from schemas.clock import civil_day
from schemas.disclosure import EventCount, Published, Scope, publish, strip_gives_away
from schemas.geography import AreaCode
from schemas.incidents import Worse
from schemas.messages import OutsideCard
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.tables.incidents import incident, incident_escalation, incident_signal
from schemas.tables.outbox import published_count
from schemas.vocabulary import Feed, Jurisdiction, Tier

_INCIDENT = incident.c
_JOINED = incident_signal.c
_PUBLISHED = published_count.c


def card_facts(connection: Connection, incident_id: str, now: datetime, *, desk: Desk) -> CardFacts:
    """Return what a card of the incident may draw on, as known now.

    Raises
    ------
    LookupError
        If there is no such incident.
    """
    row = connection.execute(
        select(incident, incident_escalation.c.reasons)
        .join(incident_escalation, incident_escalation.c.incident_id == _INCIDENT.id)
        .where(_INCIDENT.id == incident_id)
    ).one_or_none()
    if row is None:
        msg = f"There is no incident {incident_id}."
        raise LookupError(msg)
    jurisdiction = Jurisdiction(row.jurisdiction)
    signals = _signals(connection, row)
    contributing = _strongest_by_feed(signals, [Feed(name) for name in row.feeds])
    strip_feed = _strip_feed(signals, contributing)
    areas = [AreaCode(code) for code in row.areas]
    strip: Sequence[int] = ()
    if strip_feed is not None:
        counted = contributing[strip_feed][0].substance_class
        window = last_days(now, STRIP_DAYS)
        found = daily_counts(connection, jurisdiction, areas, strip_feed, counted, window)
        # Casualties beside a laboratory's finding seldom name the class themselves: an empty strip would mislead.
        strip = found if any(found) else ()
    return CardFacts(
        incident_id=row.id,
        jurisdiction=jurisdiction,
        area_names=tuple(desk.name_of(jurisdiction, code) for code in areas),
        substance_class=SubstanceClass(row.substance_class),
        tier=Tier(row.tier),
        recurrence_interval_days=row.recurrence_interval_days,
        feeds=_lines(connection, row, contributing, now, desk),
        serious_outcome=row.serious_outcome,
        lab_confirmed=row.lab_confirmed,
        evidence_withdrawn=row.evidence_withdrawn > 0,
        reasons=tuple(Worse(reason) for reason in row.reasons),
        sentence=signals[0].sentence,
        strip=tuple(EventCount(figure, jurisdiction) for figure in strip),
        strip_feed=strip_feed,
        now=now,
    )


def cards_for(
    connection: Connection,
    incident_id: str,
    now: datetime,
    *,
    desk: Desk,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> dict[str, OutsideCard]:
    """Return the words of a message for each channel in use, and keep what they say of counts.

    A log is read by whoever can read logs; every other channel of this package writes to one named person.
    """
    facts = _with_safe_strip(_said(connection, card_facts(connection, incident_id, now, desk=desk)))
    names = desk.settings.channels.names or (CONSOLE_LOG,)
    return {
        name: outside_card(facts, named=name != CONSOLE_LOG, before=before, after=after) for name in names
    }


def _signals(connection: Connection, row: Row[Any]) -> list[Signal]:
    """Return the incident's strongest signal, then those that ask for at least a review and are recent, newest first."""
    mine = select(_JOINED.body).where(_JOINED.incident_id == row.id)
    strongest = connection.execute(mine.where(_JOINED.signal_id == row.strongest_signal)).scalars().all()
    recent = connection.execute(
        mine.where(
            _JOINED.signal_id != row.strongest_signal,
            _JOINED.tier != Tier.RECORD.value,
            _JOINED.window_end >= row.last_day - timedelta(days=STRIP_DAYS),
        ).order_by(_JOINED.window_end.desc(), _JOINED.signal_id)
    ).scalars()
    return [Signal.model_validate(body) for body in (*strongest, *recent)]


def _strongest_by_feed(
    signals: Sequence[Signal], feeds: Sequence[Feed]
) -> dict[Feed, tuple[Signal, FeedEvidence]]:
    """Return for each contributing feed the strongest signal that holds it, and its part of that signal."""
    found: dict[Feed, tuple[Signal, FeedEvidence]] = {}
    first, rest = signals[0], signals[1:]
    ranked = [
        first,
        *sorted(rest, key=lambda item: (item.tier.rank, item.recurrence_interval_days), reverse=True),
    ]
    for item in ranked:
        for part in item.feeds:
            if part.feed in feeds and part.observed > 0:
                found.setdefault(part.feed, (item, part))
    return found


def _strip_feed(
    signals: Sequence[Signal], contributing: dict[Feed, tuple[Signal, FeedEvidence]]
) -> Feed | None:
    """Return the feed that a message's strip shows: of the strongest signal if it can be, and never the deaths."""
    shown = [part.feed for part in signals[0].feeds if part.feed in contributing]
    others = [feed for feed in FEED_NAMES if feed in contributing]
    return next((feed for feed in [*shown, *others] if feed is not Feed.SUSPECTED_DEATHS), None)


def _lines(
    connection: Connection,
    row: Row[Any],
    contributing: dict[Feed, tuple[Signal, FeedEvidence]],
    now: datetime,
    desk: Desk,
) -> tuple[FeedLine, ...]:
    jurisdiction = Jurisdiction(row.jurisdiction)
    seen = sights(connection, jurisdiction)
    lines = []
    # Feeds that contribute come first; the others say what their silence is worth.
    for feed in sorted(FEED_NAMES, key=lambda feed: feed not in contributing):
        if feed in contributing:
            item, part = contributing[feed]
            lines.append(
                FeedLine(
                    feed,
                    FeedState.CONTRIBUTES,
                    count=EventCount(part.observed, jurisdiction),
                    expected=part.expected,
                    scope=Scope(
                        feed,
                        item.substance_class,
                        desk.parts_of(jurisdiction, item.areas),
                        item.window_start,
                        item.window_end,
                    ),
                    tier=item.tier,
                )
            )
            continue
        sight = seen[feed]
        if sight.last_received_at is None:
            state = FeedState.ABSENT
        elif sight.is_silent(now, desk.settings.silent_after_days.get(feed, STRIP_DAYS)):
            state = FeedState.SILENT
        else:
            areas = [AreaCode(code) for code in row.areas]
            window = last_days(now, LOOK_BACK_DAYS)
            counts = daily_counts(connection, jurisdiction, areas, feed, SubstanceClass.ANY, window)
            state = FeedState.AS_USUAL if any(counts) else FeedState.NONE
        lines.append(FeedLine(feed, state, last_received_at=sight.last_received_at))
    return tuple(lines)


def _said(connection: Connection, facts: CardFacts) -> CardFacts:
    """Return the facts with what may be said of each count outside, and keep what will have been said."""
    lines = []
    for line in facts.feeds:
        if line.count is None or line.scope is None or line.feed is Feed.SUSPECTED_DEATHS:
            lines.append(line)
            continue
        before = _published(connection, facts.jurisdiction, line.scope)
        said = publish(line.count, line.scope, civil_day(facts.now), before)
        if said is not None:
            _keep(connection, facts.jurisdiction, said, facts.now)
        lines.append(replace(line, said=said.words if said is not None else None))
    return replace(facts, feeds=tuple(lines))


def _with_safe_strip(facts: CardFacts) -> CardFacts:
    """Return the facts without the strip where, beside the words for a count, it would give single days away."""
    line = next((item for item in facts.feeds if item.feed is facts.strip_feed), None)
    if line is None or line.count is None or line.scope is None:
        return facts
    first = civil_day(facts.now) - timedelta(days=len(facts.strip) - 1)
    inside = [
        count
        for number, count in enumerate(facts.strip)
        if line.scope.start <= first + timedelta(days=number) <= line.scope.end
    ]
    # Words that were kept from earlier today may no longer fit the days.
    if line.said == str(line.count) and not strip_gives_away(inside, line.count):
        return facts
    return replace(facts, strip=(), strip_feed=None)


def _published(connection: Connection, jurisdiction: Jurisdiction, scope: Scope) -> list[Published]:
    rows = connection.execute(
        select(published_count)
        .where(
            _PUBLISHED.jurisdiction == jurisdiction,
            _PUBLISHED.feed == scope.feed.value,
            _PUBLISHED.window_end >= scope.start,
            _PUBLISHED.window_start <= scope.end,
        )
        .order_by(_PUBLISHED.published_at, _PUBLISHED.id)
    )
    return [
        Published(
            Scope(
                Feed(row.feed),
                SubstanceClass(row.substance_class),
                frozenset(AreaCode(code) for code in row.areas),
                row.window_start,
                row.window_end,
            ),
            row.low,
            row.high,
            row.published_on,
        )
        for row in rows
    ]


def _keep(connection: Connection, jurisdiction: Jurisdiction, said: Published, now: datetime) -> None:
    scope = said.scope
    areas = sorted(scope.areas)
    key = digest(
        jurisdiction,
        scope.feed,
        scope.substance_class,
        " ".join(areas),
        scope.start,
        scope.end,
        said.on.isoformat(),
    )
    row = {
        "id": key,
        "jurisdiction": jurisdiction,
        "feed": scope.feed.value,
        "substance_class": scope.substance_class.value,
        "areas": areas,
        "window_start": scope.start,
        "window_end": scope.end,
        "low": said.low,
        "high": said.high,
        "published_on": said.on,
        "published_at": now,
    }
    insert_missing(connection, published_count, [row])
