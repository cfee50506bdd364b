"""What replay and demo write down: incidents and a timeline, as data and in words.

Read from the database after the fact, so that what is printed is what was stored. Everything here holds true numbers
and is stamped ``internal``: it is for the person who ran the command.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from schemas.disclosure import Classification
from schemas.geography import AreaCode
from schemas.tables.audit import audit_entry
from schemas.tables.incidents import incident, incident_signal
from schemas.tables.outbox import delivery, outbox
from schemas.vocabulary import Feed, Jurisdiction
from streams.profile import JurisdictionProfile

Profiles = Mapping[Jurisdiction, JurisdictionProfile]

FEED_WORDS: Mapping[Feed, str] = {
    Feed.SUSPECTED_DEATHS: "suspected deaths",
    Feed.AMBULANCE_NALOXONE: "ambulance naloxone",
    Feed.ED_PRESENTATIONS: "A&E presentations",
    Feed.DRUG_CHECKING: "drug checking",
}


def document(connection: Connection, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return incidents and timeline as the JSON that ``--json`` writes, with whatever else the caller has to say."""
    return {
        "classification": Classification.INTERNAL.value,
        "incidents": list(incidents(connection)),
        "timeline": list(timeline(connection)),
        **more,
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document; the same content gives the same bytes."""
    path.write_text(
        json.dumps(content, indent=2, sort_keys=False, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def incidents(connection: Connection, ids: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every incident, or those of these ids, in the order in which they were opened."""
    statement = select(incident).order_by(incident.c.opened_at, incident.c.id)
    if ids is not None:
        statement = statement.where(incident.c.id.in_(sorted(ids)))
    rows = connection.execute(statement).all()
    for row in rows:
        yield {
            "id": row.id,
            "opened_at": _moment(row.opened_at),
            "tier": row.tier,
            "jurisdiction": row.jurisdiction,
            "areas": list(row.areas),
            "feeds": list(row.feeds),
            "substance_class": row.substance_class,
            "window": [row.window_start.isoformat(), row.window_end.isoformat()],
            "observed": row.observed,
            "expected": round(row.expected, 4),
            "recurrence_interval_days": round(row.recurrence_interval_days, 1),
            "signals": list(_signals(connection, row.id)),
        }


def _signals(connection: Connection, incident_id: str) -> Iterator[dict[str, Any]]:
    table = incident_signal.c
    rows = connection.execute(
        select(table.body)
        .where(table.incident_id == incident_id)
        .order_by(table.attached_at, table.window_end, table.signal_id)
    ).scalars()
    for body in rows:
        yield {
            "detector": body["detector"],
            "key": body["key"],
            "tier": body["tier"],
            "substance_class": body["substance_class"],
            "window": [body["window_start"], body["window_end"]],
            "observed": body["observed"],
            "expected": round(body["expected"], 4),
            "recurrence_interval_days": round(body["recurrence_interval_days"], 1),
            "sentence": body["sentence"],
        }


def timeline(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield what happened to incidents, in order: from the audit trail and from what was sent to whom."""
    audited = audit_entry.c
    happened: list[tuple[datetime, int, dict[str, Any]]] = [
        (
            row.at,
            row.position,
            {
                "at": _moment(row.at),
                "what": row.action,
                "incident": row.subject,
                "by": row.actor,
                "detail": row.detail,
            },
        )
        for row in connection.execute(
            select(audit_entry)
            .where(audited.subject_kind == "incident")
            .order_by(audited.jurisdiction, audited.position)
        )
    ]
    happened += [
        (
            row.started_at,
            1_000_000_000,
            {
                "at": _moment(row.started_at),
                "what": "message_sent" if row.outcome == "sent" else "message_failed",
                "incident": row.incident_id,
                "by": row.recipient,
                "detail": {"kind": row.kind, "channel": row.channel},
            },
        )
        for row in connection.execute(
            select(
                delivery.c.started_at,
                delivery.c.outcome,
                outbox.c.incident_id,
                outbox.c.recipient,
                outbox.c.kind,
                outbox.c.channel,
            )
            .join(outbox, outbox.c.id == delivery.c.outbox_id)
            .order_by(delivery.c.started_at, outbox.c.id)
        )
    ]
    happened.sort(key=lambda item: (item[0], item[1]))
    for _, _, entry in happened:
        yield entry


def area_words(areas: list[str], profile: JurisdictionProfile) -> str:
    """Return the names of some areas as a phrase: at most four of them, then how many more."""
    geography = profile.geography
    names = [area.name if (area := geography.get(AreaCode(code))) else code for code in areas]
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def incident_words(item: Mapping[str, Any], profiles: Profiles) -> str:
    """Return one line for an incident, with its true numbers."""
    profile = profiles[Jurisdiction(item["jurisdiction"])]
    feeds = " and ".join(FEED_WORDS[Feed(feed)] for feed in item["feeds"])
    expected = item["expected"]
    usual = f"{expected:.1f}" if expected >= 0.1 else f"{expected:.2g}"  # noqa: PLR2004 (two figures below a tenth)
    return (
        f"{item['id']}  {item['tier']:<6}  {area_words(item['areas'], profile)}: {feeds}, "
        f"{item['substance_class'].replace('_', ' ')}; {item['observed']} where {usual} would be usual, "
        f"{item['window'][0]} to {item['window'][1]}; by chance {rarity_words(item['recurrence_interval_days'])}"
    )


def rarity_words(days: float) -> str:
    """Return a recurrence interval in plain words."""
    years = days / 365.25
    if years >= 1.5:  # noqa: PLR2004 (below, months say it better)
        return f"about once in {years:.0f} years"
    return f"about {_times(365.25 / days)} a year"


def _times(number: float) -> str:
    return {1: "once", 2: "twice"}.get(round(number), f"{number:.0f} times")


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


_MOST_NAMES = 4
