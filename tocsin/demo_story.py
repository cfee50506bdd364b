"""The demo's two clusters, when they were found, and the timeline as a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from sqlalchemy import Connection, func, select

from schemas.database import Database
from schemas.events import identity_of
from schemas.messages import MessageKind
from schemas.tables.audit import audit_entry
from schemas.tables.incidents import incident, incident_evidence
from schemas.tables.outbox import outbox
from streams.simulation.records import SimulatedRecord
from tocsin import report


@dataclass(frozen=True)
class Cluster:
    """One scripted cluster, and from which of its records on the clock runs."""

    name: str
    records: Sequence[SimulatedRecord]
    counted_from: int
    """1 for its first record to become known."""

    @property
    def since(self) -> datetime:
        """When that record became known."""
        return sorted(record.known_at for record in self.records)[self.counted_from - 1]


@dataclass(frozen=True)
class Found:
    """When a cluster was paged, and as which incidents."""

    cluster: Cluster
    paged_at: datetime | None
    incidents: tuple[str, ...]

    @property
    def hours(self) -> float | None:
        """Hours from the record that counts to the page."""
        return None if self.paged_at is None else (self.paged_at - self.cluster.since).total_seconds() / 3600

    def as_json(self) -> dict[str, Any]:
        """Return it for the summary."""
        return {
            "cluster": self.cluster.name,
            "counted_from_record": self.cluster.counted_from,
            "since": self.cluster.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "hours_to_page": None if self.hours is None else round(self.hours, 3),
            "incidents": list(self.incidents),
        }


def find(connection: Connection, cluster: Cluster) -> Found:
    """Say which incidents rest on a cluster's records, and when the first page about them was sent."""
    identities = [identity_of(record.event.source, record.event.event_id) for record in cluster.records]
    ids = connection.execute(
        select(incident_evidence.c.incident_id)
        .where(incident_evidence.c.identity.in_(identities))
        .distinct()
        .order_by(incident_evidence.c.incident_id)
    ).scalars()
    incidents = tuple(ids)
    paged_at = connection.execute(
        select(func.min(outbox.c.finished_at)).where(
            outbox.c.incident_id.in_(incidents),
            outbox.c.kind == MessageKind.PAGE.value,
            outbox.c.state == "sent",
            outbox.c.finished_at >= cluster.records[0].known_at,
        )
    ).scalar()
    return Found(cluster, paged_at, incidents)


class Timeline:
    """Prints what happens as it happens: a line a month of records, a line for each thing that people should see."""

    def __init__(self, console: Console, database: Database, profiles: report.Profiles) -> None:
        self._console = console
        self._database = database
        self._profiles = profiles
        self._month: tuple[int, int] | None = None
        self._records = 0
        self._seen = 0

    def arrived(self, moment: datetime, records: int) -> None:
        """Note that records arrived, and print what followed from them."""
        month = (moment.year, moment.month)
        if self._month is not None and month != self._month:
            self.finish()
        self._month = month
        self._records += records
        self._print_new()

    def finish(self) -> None:
        """Print the month that ends."""
        self._print_new()
        if self._month is not None and self._records:
            year, number = self._month
            self._console.print(f"[dim]{year}-{number:02}      {self._records} records[/dim]")
        self._records = 0

    def _print_new(self) -> None:
        with self._database.read() as connection:
            length = connection.execute(select(func.max(audit_entry.c.position))).scalar() or 0
            if length <= self._seen:
                return
            entries = connection.execute(
                select(audit_entry)
                .where(audit_entry.c.position > self._seen, audit_entry.c.subject_kind == "incident")
                .order_by(audit_entry.c.position)
            ).all()
            lines = [line for entry in entries if (line := self._line(connection, entry))]
        self._seen = length
        for line in lines:
            self._console.print(line)

    def _line(self, connection: Connection, entry: Any) -> str | None:  # noqa: ANN401 (a database row)
        at = f"{entry.at:%Y-%m-%d %H:%M}"
        detail: Mapping[str, Any] = entry.detail
        match entry.action:
            case "incident_opened":
                facts = next(item for item in report.incidents(connection, [entry.subject]))
                return f"{at}  incident opened  {report.incident_words(facts, self._profiles)}"
            case "notice_given" if detail["reasons"] != ["opened"]:
                return f"{at}  got worse        {entry.subject}: {', '.join(detail['reasons']).replace('_', ' ')}"
            case "escalation_step":
                return f"[bold]{at}  paged            {entry.subject}: {', '.join(detail['people'])}[/bold]"
            case "acknowledged":
                return f"{at}  acknowledged     {entry.subject} by {entry.actor}"
            case "incident_closed":
                return f"{at}  closed           {entry.subject} by {entry.actor}: {detail['outcome'].replace('_', ' ')}"
            case _:
                return None


def false_pages(connection: Connection, start: datetime, end: datetime) -> int:
    """Return how many incidents opened between two moments and reached the page tier."""
    table = incident.c
    return int(
        connection.execute(
            select(func.count()).where(table.tier == "page", table.opened_at >= start, table.opened_at < end)
        ).scalar_one()
    )
