"""Signals become incidents: each joins an open incident that it overlaps, or opens one.

Intake (for a tripwire) and the detection run call :func:`attach_or_open` in the transaction that stores the signals;
intake calls :func:`on_evidence_withdrawn` in the one that takes events back. Both write machine facts only: what people
decided stands in other tables, which this module reads and never writes. They never commit and never send.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from alerts import audit, notices
from alerts.desk import Desk
from alerts.facts import Facts, gather
from alerts.ids import signal_id
from alerts.serialise import hold, insert_missing_many
from alerts.urgency import urgency_of
from schemas.authorise import SYSTEM
from schemas.clock import civil_day
from schemas.geography import AreaCode
from schemas.overlap import GAP_DAYS, areas_overlap, classes_overlap, days_overlap
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.tables.incidents import (
    incident,
    incident_decision,
    incident_escalation,
    incident_evidence,
    incident_signal,
)
from schemas.vocabulary import Feed, Jurisdiction, Tier

_INCIDENT = incident.c
_JOINED = incident_signal.c
_EVIDENCE = incident_evidence.c
_DECISION = incident_decision.c


def attach_or_open(
    connection: Connection, signals: Sequence[Signal], now: datetime, *, desk: Desk
) -> tuple[str, ...]:
    """Join each signal to the open incident that it overlaps, or open one; tell people what is new or worse.

    A signal of tier *record* joins and never opens. A repeat of a signal updates what is known of it and is otherwise
    harmless. Evidence that comes after an incident was closed opens another, linked to it.

    Parameters
    ----------
    connection : Connection
        An open writing transaction, at READ COMMITTED on PostgreSQL; not committed here.
    signals : sequence of Signal
        Of any jurisdictions that ``desk`` knows, in any order.
    now : datetime
        The moment of the transaction.

    Returns
    -------
    tuple of str
        Ids of the incidents that were opened or changed, sorted.
    """
    touched: list[str] = []
    for jurisdiction in sorted({item.jurisdiction for item in signals}):
        hold(connection, jurisdiction)
        mine = [item for item in signals if item.jurisdiction == jurisdiction]
        touched += _attach_all(connection, jurisdiction, mine, now, desk)
    return tuple(sorted(touched))


@dataclass(frozen=True, slots=True)
class _Joined:
    """A signal as it stands joined to an incident, and whether that incident is closed."""

    incident_id: str
    closed_at: datetime | None
    signal_id: str
    tier: Tier
    substance_class: SubstanceClass
    areas: tuple[AreaCode, ...]
    window: tuple[date, date]


def _attach_all(
    connection: Connection, jurisdiction: Jurisdiction, signals: Sequence[Signal], now: datetime, desk: Desk
) -> list[str]:
    root = desk.root_of(jurisdiction)
    # The strongest first: it opens, and the weaker ones join it, whatever order they were handed over in.
    ordered = sorted(
        signals, key=lambda item: (-item.tier.rank, -item.recurrence_interval_days, signal_id(item))
    )
    book = _read_book(connection, jurisdiction, min(item.window_start for item in signals))
    opened: set[str] = set()
    touched: set[str] = set()
    for item in ordered:
        home, linked_to = _home_of(connection, item, book, root)
        if home is None:
            if item.tier is Tier.RECORD:
                continue
            home = _next_id(connection, jurisdiction, now, desk)
            _open(connection, home, item, linked_to, now, desk)
            opened.add(home)
        _join(connection, home, item, now)
        book.append(_joined(home, item))
        touched.add(home)
    for incident_id in sorted(touched):
        _refresh(connection, incident_id, now, desk, opened=incident_id in opened)
    return sorted(touched)


def _read_book(connection: Connection, jurisdiction: Jurisdiction, since: date) -> list[_Joined]:
    """Return each joined signal that may be within 14 days of a window from ``since`` on, the oldest incident first."""
    rows = connection.execute(
        select(
            _JOINED.incident_id,
            _JOINED.signal_id,
            _JOINED.tier,
            _JOINED.substance_class,
            _JOINED.areas,
            _JOINED.window_start,
            _JOINED.window_end,
            _DECISION.closed_at,
        )
        .join(incident, _INCIDENT.id == _JOINED.incident_id)
        .outerjoin(incident_decision, _DECISION.incident_id == _JOINED.incident_id)
        .where(_JOINED.jurisdiction == jurisdiction, _JOINED.window_end >= since - timedelta(days=GAP_DAYS))
        .order_by(_INCIDENT.year, _INCIDENT.sequence, _JOINED.signal_id)
    )
    return [
        _Joined(
            row.incident_id,
            row.closed_at,
            row.signal_id,
            Tier(row.tier),
            SubstanceClass(row.substance_class),
            tuple(row.areas),
            (row.window_start, row.window_end),
        )
        for row in rows
    ]


def _joined(incident_id: str, signal: Signal) -> _Joined:
    window = (signal.window_start, signal.window_end)
    return _Joined(
        incident_id, None, signal_id(signal), signal.tier, signal.substance_class, signal.areas, window
    )


def _home_of(
    connection: Connection, signal: Signal, book: Sequence[_Joined], root: AreaCode
) -> tuple[str | None, str | None]:
    """Return the incident that the signal belongs to, if any, and else the closed one that a new one follows, if any.

    A signal stays where it is. Otherwise the oldest open incident with a signal that it overlaps takes it; record-tier
    signals do not bind, or everything would in time be one incident. A closed one takes only what was known before it
    was closed.
    """
    mine = signal_id(signal)
    near = [
        item
        for item in book
        if item.signal_id == mine
        or (
            item.tier is not Tier.RECORD
            and classes_overlap(item.substance_class, signal.substance_class)
            and areas_overlap(item.areas, signal.areas, root)
            and days_overlap(item.window, (signal.window_start, signal.window_end))
        )
    ]
    near_open = [item for item in near if item.closed_at is None]
    if near_open:
        return next((item for item in near_open if item.signal_id == mine), near_open[0]).incident_id, None
    closed = near[-1] if near else None
    if closed is None or closed.closed_at is None:
        return None, None
    if _brings_nothing_new(connection, signal, closed.incident_id, closed.closed_at):
        return closed.incident_id, None
    return None, closed.incident_id


def _brings_nothing_new(
    connection: Connection, signal: Signal, incident_id: str, closed_at: datetime
) -> bool:
    if signal.newest_evidence_at > closed_at:
        return False
    known = connection.execute(select(_EVIDENCE.identity).where(_EVIDENCE.incident_id == incident_id))
    return set(signal.evidence) <= set(known.scalars())


def _next_id(connection: Connection, jurisdiction: Jurisdiction, now: datetime, desk: Desk) -> str:
    year = civil_day(now).year
    last = connection.execute(
        select(func.max(_INCIDENT.sequence)).where(
            _INCIDENT.jurisdiction == jurisdiction, _INCIDENT.year == year
        )
    ).scalar()
    return f"{desk.prefixes[jurisdiction]}-{year}-{(last or 0) + 1:04d}"


def _open(
    connection: Connection, incident_id: str, signal: Signal, linked_to: str | None, now: datetime, desk: Desk
) -> None:
    """Write the incident with what its first signal says, and freeze the escalation policy onto it."""
    year, sequence = incident_id.rsplit("-", 2)[1:]
    facts = gather([signal], desk.root_of(signal.jurisdiction))
    connection.execute(
        insert(incident).values(
            id=incident_id,
            jurisdiction=signal.jurisdiction,
            year=int(year),
            sequence=int(sequence),
            opened_at=now,
            linked_to=linked_to,
            evidence_withdrawn=0,
            urgency=urgency_of([signal], now).value,
            **_columns_of(facts, now),
        )
    )
    connection.execute(
        insert(incident_escalation).values(
            incident_id=incident_id,
            jurisdiction=signal.jurisdiction,
            policy=desk.settings.escalation.model_dump(mode="json"),
            notice=0,
            reasons=[],
            told=facts.told(),
            steps_taken=0,
        )
    )
    detail = {"tier": signal.tier.value} | ({"linked_to": linked_to} if linked_to else {})
    audit.append(
        connection,
        signal.jurisdiction,
        SYSTEM,
        now,
        action="incident_opened",
        subject=("incident", incident_id),
        detail=detail,
    )


def _join(connection: Connection, incident_id: str, signal: Signal, now: datetime) -> None:
    """Join a signal to an incident, or bring what is known of it up to date; note the events behind it."""
    values: dict[str, Any] = {
        "tier": signal.tier.value,
        "substance_class": signal.substance_class.value,
        "areas": list(signal.areas),
        "window_start": signal.window_start,
        "window_end": signal.window_end,
        "body": signal.model_dump(mode="json"),
        "last_seen_at": now,
    }
    here = (_JOINED.incident_id == incident_id) & (_JOINED.signal_id == signal_id(signal))
    if connection.execute(update(incident_signal).where(here).values(**values)).rowcount == 0:
        connection.execute(
            insert(incident_signal).values(
                incident_id=incident_id,
                signal_id=signal_id(signal),
                jurisdiction=signal.jurisdiction,
                attached_at=now,
                **values,
            )
        )
    insert_missing_many(
        connection,
        incident_evidence,
        [
            {"incident_id": incident_id, "identity": identity, "added_at": now}
            for identity in sorted(signal.evidence)
        ],
    )


def _refresh(
    connection: Connection,
    incident_id: str,
    now: datetime,
    desk: Desk,
    *,
    opened: bool = False,
    afresh: bool = False,
) -> None:
    """Bring the machine's facts up to date, and give notice if they are new or worse.

    What an incident has reached (tier, feeds, a death, a laboratory result, its first day) is kept while it grows, so
    that only its recent signals need be read. ``afresh``, after evidence was taken back, works everything but the tier
    out again from all of them; that cannot make it worse, so it gives no notice.
    """
    row = connection.execute(
        select(incident, _DECISION.closed_at)
        .outerjoin(incident_decision, _DECISION.incident_id == _INCIDENT.id)
        .where(_INCIDENT.id == incident_id)
    ).one()
    signals = _standing_signals(connection, row, afresh=afresh)
    if not signals:
        return
    facts = gather(signals, desk.root_of(Jurisdiction(row.jurisdiction)))
    facts = replace(facts, tier=max(facts.tier, Tier(row.tier), key=lambda tier: tier.rank))
    if not afresh:
        known = {*row.feeds, *facts.feeds}
        facts = replace(
            facts,
            feeds=tuple(feed for feed in Feed if feed in known),
            first_day=min(facts.first_day, row.first_day),
            serious_outcome=facts.serious_outcome or row.serious_outcome,
            lab_confirmed=facts.lab_confirmed or row.lab_confirmed,
        )
    urgency = urgency_of(signals, now)
    connection.execute(
        update(incident)
        .where(_INCIDENT.id == incident_id)
        .values(urgency=urgency.value, **_columns_of(facts, now))
    )
    if row.closed_at is None and desk.settings.tell_people and not afresh:
        notices.consider(connection, incident_id, facts, signals, urgency, now, desk=desk, opened=opened)


def _standing_signals(connection: Connection, row: Row[*tuple[Any, ...]], *, afresh: bool) -> list[Signal]:
    """Return the incident's signals, without those whose every listed event was taken back.

    Unless ``afresh``, only the strongest, and those whose windows end within four weeks of the latest.
    """
    mine = select(_JOINED.body).where(_JOINED.incident_id == row.id)
    if afresh:
        bodies = list(connection.execute(mine.order_by(_JOINED.signal_id)).scalars())
    else:
        latest = connection.execute(
            select(func.max(_JOINED.window_end)).where(_JOINED.incident_id == row.id)
        ).scalar_one()
        since = latest - timedelta(days=_RECENT_DAYS)
        recent = mine.where(_JOINED.window_end >= since, _JOINED.signal_id != row.strongest_signal)
        bodies = list(connection.execute(recent.order_by(_JOINED.signal_id)).scalars())
        bodies += connection.execute(mine.where(_JOINED.signal_id == row.strongest_signal)).scalars()
    signals = [Signal.model_validate(body) for body in bodies]
    if not row.evidence_withdrawn:
        return signals
    withdrawn = set(
        connection.execute(
            select(_EVIDENCE.identity).where(
                _EVIDENCE.incident_id == row.id, _EVIDENCE.withdrawn_at.is_not(None)
            )
        ).scalars()
    )
    return [item for item in signals if not item.evidence or not set(item.evidence) <= withdrawn]


_RECENT_DAYS: Final = 28
"""Twice the longest window and gap: what an incident is now, for one that lasts for months."""


def _columns_of(facts: Facts, now: datetime) -> dict[str, Any]:
    strongest = facts.strongest
    return {
        "tier": facts.tier.value,
        "substance_class": facts.substance_class.value,
        "areas": list(facts.areas),
        "feeds": [feed.value for feed in facts.feeds],
        "strongest_signal": signal_id(strongest),
        "window_start": strongest.window_start,
        "window_end": strongest.window_end,
        "observed": strongest.observed,
        "expected": strongest.expected,
        "recurrence_interval_days": strongest.recurrence_interval_days,
        "first_day": facts.first_day,
        "last_day": facts.last_day,
        "newest_evidence_at": facts.newest_evidence_at,
        "serious_outcome": facts.serious_outcome,
        "lab_confirmed": facts.lab_confirmed,
        "changed_at": now,
    }


def on_evidence_withdrawn(
    connection: Connection, identities: Collection[str], now: datetime, *, desk: Desk
) -> tuple[str, ...]:
    """Say on every incident behind which these events stand that they were taken back; return the incidents' ids.

    Call it in the transaction that retracts the events (``identities`` as ``schemas.events.identity_of`` makes them).
    The incident stays: people decide what becomes of it. Whoever has it, and whoever was told, hears of it once.
    """
    wanted = sorted(identities)
    found: dict[tuple[str, str], None] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(
            select(_INCIDENT.jurisdiction, _INCIDENT.id)
            .join(incident_evidence, _EVIDENCE.incident_id == _INCIDENT.id)
            .where(_EVIDENCE.identity.in_(wanted[start : start + _AT_ONCE]), _EVIDENCE.withdrawn_at.is_(None))
            .distinct()
        )
        found |= {(row.jurisdiction, row.id): None for row in rows}
    for jurisdiction, incident_id in sorted(found):
        hold(connection, Jurisdiction(jurisdiction))
        count = 0
        for start in range(0, len(wanted), _AT_ONCE):
            count += connection.execute(
                update(incident_evidence)
                .where(
                    _EVIDENCE.incident_id == incident_id,
                    _EVIDENCE.identity.in_(wanted[start : start + _AT_ONCE]),
                    _EVIDENCE.withdrawn_at.is_(None),
                )
                .values(withdrawn_at=now)
            ).rowcount
        if not count:
            continue
        connection.execute(
            update(incident)
            .where(_INCIDENT.id == incident_id)
            .values(
                evidence_withdrawn=_INCIDENT.evidence_withdrawn + count,
                evidence_withdrawn_at=now,
                changed_at=now,
            )
        )
        audit.append(
            connection,
            Jurisdiction(jurisdiction),
            SYSTEM,
            now,
            action="evidence_withdrawn",
            subject=("incident", incident_id),
        )
        _refresh(connection, incident_id, now, desk, afresh=True)
        if desk.settings.tell_people:
            notices.tell_withdrawn(connection, incident_id, now, desk=desk)
    return tuple(sorted(incident_id for _, incident_id in found))


_AT_ONCE: Final = 500
"""Identities in one statement: both databases limit how many parameters one may have."""
