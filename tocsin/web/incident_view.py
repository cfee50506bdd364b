"""What the incident page shows, read in one transaction and made ready for one visitor.

Only here does the web turn a count into a figure, and only through ``schemas.disclosure.exact``, which asks whether the
visitor may see it. Somebody who may not is shown the words that messages say, and nothing that figures could be worked
out from: no sentences of signals, no curve, no message list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from alerts import audit, reading
from alerts.card import CLASS_NAMES, COUNTED_AS, FEED_NAMES, CardFacts, FeedState, inside_lines, outside_card
from alerts.desk import Desk
from alerts.outbox import CONSOLE_LOG, EMAIL
from alerts.people import find_person
from alerts.reading import MessageState
from alerts.telling import card_facts
from schemas.authorise import SYSTEM_ACTOR, Action, Principal, may
from schemas.clock import civil_day
from schemas.disclosure import exact
from schemas.incidents import Acknowledgement, AuditEntry, Incident
from schemas.messages import OutsideCard
from schemas.signals import Signal
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Tier
from tocsin.web.incident_course import Course, course_of
from tocsin.web.rendering import code_words

RECENT_SIGNALS = 30
_SYSTEM_NAME = "Tocsin"


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One feed's line of the evidence table."""

    feed: Feed
    name: str
    observed: str
    expected: str
    window: tuple[date, date] | None
    state: str
    tier: Tier | None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One entry of the audit trail, in words."""

    at: datetime
    what: str
    who: str


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident in a list."""

    incident: Incident
    headline: str
    area_names: tuple[str, ...]
    feed_names: tuple[str, ...]
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident, for one visitor."""

    incident: Incident
    headline: str
    lines: tuple[str, ...]
    sees_figures: bool
    evidence: tuple[EvidenceRow, ...]
    signals: tuple[Signal, ...]
    more_signals: int
    courses: tuple[Course, ...]
    """Of each feed behind it, its events by day."""
    messages: tuple[MessageState, ...]
    history: tuple[HistoryLine, ...]
    linked_from: tuple[str, ...]
    names: Mapping[str, str]
    """What people are called, by id."""
    my_acknowledgement: Acknowledgement | None


def incident_view(
    connection: Connection, incident: Incident, principal: Principal, now: datetime, *, desk: Desk
) -> IncidentView:
    """Return what ``principal``, who may view the incident, is shown of it."""
    facts = card_facts(connection, incident.id, now, desk=desk)
    figures = may(principal, Action.SEE_FIGURES, incident.jurisdiction)
    signals = reading.signals_of(connection, incident.id) if figures else []
    messages = reading.messages_of(connection, incident.id) if figures else []
    about = ("incident", incident.id)
    history = tuple(audit.entries(connection, incident.jurisdiction, about)) if figures else ()
    people = {item.person for item in incident.acknowledgements} | {message.recipient for message in messages}
    for entry in history:
        people |= {entry.actor, *_people_in(entry)}
    if incident.closed_by:
        people.add(incident.closed_by)
    mine = next((item for item in incident.held_by if item.person == principal.person), None)
    names = names_of(connection, people, desk)
    lines = inside_lines(facts, principal) if figures else _safe_lines(connection, incident.id, facts)
    return IncidentView(
        incident=incident,
        headline=facts.headline,
        lines=tuple(line for line in lines if line != f"{facts.headline}."),  # the page's heading says it
        sees_figures=figures,
        evidence=_evidence(facts, principal) if figures else (),
        signals=tuple(signals[:RECENT_SIGNALS]),
        more_signals=max(0, len(signals) - RECENT_SIGNALS),
        courses=_courses(connection, incident, signals, now, desk),
        messages=tuple(messages),
        history=tuple(_history_line(entry, names) for entry in history),
        linked_from=reading.linked_from(connection, incident.id),
        names=names,
        my_acknowledgement=mine,
    )


def incident_lines(connection: Connection, incidents: Sequence[Incident], desk: Desk) -> list[IncidentLine]:
    """Return the incidents as a list shows them: no counts, for whoever may view incidents."""
    people = {item.person for incident in incidents for item in incident.held_by}
    names = names_of(connection, people, desk)
    lines = []
    for incident in incidents:
        areas = tuple(desk.name_of(incident.jurisdiction, code) for code in incident.areas)
        lines.append(
            IncidentLine(
                incident=incident,
                headline=f"{_listed(areas)}, {CLASS_NAMES[incident.substance_class]}",
                area_names=areas,
                feed_names=tuple(FEED_NAMES[feed] for feed in FEED_NAMES if feed in incident.feeds),
                held_by=tuple(names[item.person] for item in incident.held_by),
            )
        )
    return lines


def last_message(
    connection: Connection, incident_id: str, *, channel: str | None = None, recipient: str | None = None
) -> OutsideCard | None:
    """Return the words of the newest message about an incident, as they were sent; None if there was none."""
    row = outbox.c
    statement = select(row.body).where(row.incident_id == incident_id)
    if channel is not None:
        statement = statement.where(row.channel == channel)
    if recipient is not None:
        statement = statement.where(row.recipient == recipient)
    body = connection.execute(
        statement.order_by(row.created_at.desc(), (row.channel == EMAIL).desc(), row.id).limit(1)
    ).scalar_one_or_none()
    return OutsideCard.model_validate(body) if body is not None else None


def names_of(connection: Connection, people: set[str], desk: Desk) -> dict[str, str]:
    """Return what people are called, by id; somebody who has left is called by their id."""
    names = {}
    for name in sorted(people):
        person = find_person(connection, desk, name)
        names[name] = person.name if person is not None else name
    if SYSTEM_ACTOR in names:
        names[SYSTEM_ACTOR] = _SYSTEM_NAME
    return names


def _people_in(entry: AuditEntry) -> tuple[str, ...]:
    """Return the people that an entry's detail names."""
    named = entry.detail.get("people") or entry.detail.get("person") or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _history_line(entry: AuditEntry, names: Mapping[str, str]) -> HistoryLine:
    """Return an entry in words: what was done, with the people, step or outcome that it names."""
    what = code_words(entry.action)
    told = [names[person] for person in _people_in(entry)]
    if told:
        what += f": {_listed(told)}"
    if outcome := entry.detail.get("outcome"):
        what += f": {code_words(outcome).lower()}"
    if reasons := entry.detail.get("reasons"):
        what += f": {_listed([code_words(reason).lower() for reason in reasons])}"
    return HistoryLine(entry.at, what, names[entry.actor])


def _safe_lines(connection: Connection, incident_id: str, facts: CardFacts) -> tuple[str, ...]:
    """Return what messages said, in the very words: anything newer could be subtracted from them."""
    card = last_message(connection, incident_id, channel=CONSOLE_LOG)
    return (card or outside_card(facts, named=False)).lines


def _evidence(facts: CardFacts, principal: Principal) -> tuple[EvidenceRow, ...]:
    rows = []
    for line in facts.feeds:
        observed = ""
        if line.count is not None:
            figure = exact(line.count, principal)
            words = COUNTED_AS[line.feed]
            observed = f"{figure} {words.removesuffix('s') if figure == 1 else words}"
        rows.append(
            EvidenceRow(
                feed=line.feed,
                name=FEED_NAMES[line.feed],
                observed=observed,
                expected=f"{line.expected:.1f}" if line.expected is not None else "",
                window=line.window,
                state=_STATES[line.state],
                tier=line.tier if line.state is FeedState.CONTRIBUTES else None,
            )
        )
    return tuple(rows)


def _courses(
    connection: Connection, incident: Incident, signals: Sequence[Signal], now: datetime, desk: Desk
) -> tuple[Course, ...]:
    root, today = desk.root_of(incident.jurisdiction), civil_day(now)
    found = (course_of(connection, incident, signals, feed, today=today, root=root) for feed in FEED_NAMES)
    return tuple(course for course in found if course is not None)


_STATES: Mapping[FeedState, str] = {
    FeedState.CONTRIBUTES: "Part of the evidence",
    FeedState.AS_USUAL: "As usual",
    FeedState.NONE: "None in 7 days",
    FeedState.SILENT: "Silent: cannot be told from calm",
    FeedState.ABSENT: "Not received",
}


def _listed(items: Sequence[str]) -> str:
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
