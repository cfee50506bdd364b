"""Acknowledging while a 100,000-row file loads: how long a person waits for "you have it".

An on-call person with a session presses the button of an open incident, and undoes it, again and again: over HTTP, on
the running service. First with nothing else going on; then while ``tocsin load`` works on a file in a process of its own
and intake follows it; then while the same number of rows comes in by HTTP.
"""

import csv
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import func, select

from alerts.reading import list_incidents
from benchmarks.results import Figure, distribution, percentile
from benchmarks.service import KENT, TOCSIN, Service, iso, officer_of
from schemas.geography import AreaCode, AreaLevel, load_kent_and_medway
from schemas.tables.events import event_version
from schemas.tables.log import event_log, event_log_cursor
from schemas.vocabulary import Feed
from tocsin.clocks import SystemClock
from tocsin.database import SqlDatabase
from tocsin.web import sessions

TARGET = 1.0
ROWS = 100_000
BATCH = 500
_YEARS = 8
_PAUSE_SECONDS = 0.1
_COOKIE = "tocsin_session"
_FEED = Feed.AMBULANCE_NALOXONE
_MAPPING = """
name = "benchmark"
feed = "ambulance-naloxone"
jurisdiction = "kent-and-medway"
[source]
organisation = "ambulance"
[event_id]
column = "id"
[occurred_at]
columns = ["when"]
formats = ["%Y-%m-%dT%H:%M:%S%z"]
[areas.event]
by = "code"
columns = ["area"]
[[substances]]
field = "suspected"
names = ["substance"]
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One administration, as a partner's file has it."""

    id: str
    when: str
    area: AreaCode
    substance: str


class Officer:
    """The person on call, with a browser that is signed in."""

    def __init__(self, service: Service, database: SqlDatabase) -> None:
        person = officer_of(KENT).id
        with database.write() as connection:
            token = sessions.start(connection, person, SystemClock().now(), longest=timedelta(hours=12))
        secret = service.settings.alerts.links.secret.get_secret_value()
        self._form = {"form_token": sessions.form_token(token, secret)}
        self._client = httpx.Client(base_url=service.url, cookies={_COOKIE: token}, timeout=60)

    def press(self, incident: str, button: str) -> float:
        """Press a button of an incident; return how long the answer took."""
        began = time.perf_counter()
        answer = self._client.post(f"/incidents/{incident}/{button}", data=self._form)
        seconds = time.perf_counter() - began
        if answer.status_code != 303:
            raise RuntimeError(f"{button}: {answer.status_code} {answer.text[:300]}")
        return seconds

    def while_(self, incident: str, going_on: Callable[[], bool]) -> list[float]:
        """Acknowledge and undo as long as something goes on; return how long each acknowledgement took."""
        found: list[float] = []
        while going_on():
            found.append(self.press(incident, "acknowledge"))
            time.sleep(_PAUSE_SECONDS)
            self.press(incident, "undo")
            time.sleep(_PAUSE_SECONDS)
        return found


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Acknowledge quietly 50 times, then all the while that 100,000 rows come in by each way."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as name:
        folder = Path(name)
        service = Service(folder)
        service.enter_people_and_keys()
        database = SqlDatabase(service.settings.database_url.get_secret_value())
        with service.running():
            incident = _household(service, database)
            officer = Officer(service, database)
            quiet = officer.while_(incident, _so_often(runs or 50))
            file, seconds = _by_file(service, database, officer, incident, list(_rows("file", rng)))
            posted, posted_seconds = _by_http(service, database, officer, incident, list(_rows("http", rng)))
        database.close()
    note = (
        f"{ROWS:,} rows of {_YEARS} years, marked as backfill, until every one is counted: {seconds:.0f} s by file, "
        f"{posted_seconds:.0f} s over HTTP in batches of {BATCH} on two connections. The person acknowledges and "
        f"undoes with {_PAUSE_SECONDS} s in between."
    )
    target = f"p99 {TARGET:.0f} s"
    return [
        Figure("acknowledge, nothing else going on", distribution(quiet)),
        Figure("acknowledge while `tocsin load` and intake work", distribution(file), target, _holds(file)),
        Figure("acknowledge while rows come in over HTTP", distribution(posted), target, _holds(posted)),
    ], note


def _holds(seconds: Sequence[float]) -> bool:
    return percentile(seconds, 0.99) <= TARGET


def _so_often(times: int) -> Callable[[], bool]:
    left = iter(range(times))
    return lambda: next(left, None) is not None


def _rows(label: str, rng: np.random.Generator) -> Iterator[Row]:
    areas = load_kent_and_medway().at_level(AreaLevel.LSOA)
    names = ("heroin", "methadone", "etizolam", "unknown opioid", "")
    now = SystemClock().now()
    minutes = np.sort(rng.integers(120, _YEARS * 365 * 1440, ROWS))[::-1]
    where = rng.integers(0, len(areas), ROWS)
    which = rng.integers(0, len(names), ROWS)
    for number in range(ROWS):
        when = iso(now - timedelta(minutes=int(minutes[number])))
        yield Row(f"{label}-{number}", when, areas[int(where[number])], names[int(which[number])])


def _content(row: Row, **more: object) -> bytes:
    content = {
        "event_id": row.id,
        "source": {"organisation": "ambulance"},
        "occurred_at": row.when,
        "areas": {"event": str(row.area)},
        "suspected": [row.substance] if row.substance else [],
    }
    return json.dumps(content | more).encode()


def _household(service: Service, database: SqlDatabase) -> str:
    """Post four casualties at one scene; return the incident that this opens."""
    area = load_kent_and_medway().at_level(AreaLevel.LSOA)[0]
    when = iso(SystemClock().now() - timedelta(minutes=30))
    lines = [
        _content(Row(f"scene-{number}", when, area, "spice"), scene="a-scene-of-one-household-0001")
        for number in range(4)
    ]
    answer = httpx.post(
        service.address(_FEED), content=b"\n".join(lines), headers=dict(service.headers(_FEED))
    )
    if answer.status_code != 202:
        raise RuntimeError(answer.text[:300])
    until = time.perf_counter() + 30
    while time.perf_counter() < until:
        with database.read() as connection:
            for incident in list_incidents(connection, [KENT], open_only=True):
                return incident.id
        time.sleep(0.1)
    raise RuntimeError("No incident was opened.")


def _by_file(
    service: Service, database: SqlDatabase, officer: Officer, incident: str, rows: Sequence[Row]
) -> tuple[list[float], float]:
    file, mapping = service.folder / "rows.csv", service.folder / "mapping.toml"
    mapping.write_text(_MAPPING, encoding="utf-8")
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "when", "area", "substance"])
        writer.writerows([row.id, row.when, row.area, row.substance] for row in rows)
    stored = _stored(database)
    began = time.perf_counter()
    command = [str(TOCSIN), "--config", str(service.settings_file), "load", str(file)]
    command += ["--mapping", str(mapping), "--backfill"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = officer.while_(incident, lambda: load.poll() is None or _backlog(database) > 0)
    output = load.communicate()[0].decode()
    if load.returncode != 0 or _stored(database) - stored != len(rows):
        raise RuntimeError(f"The file did not load: {output}")
    return found, time.perf_counter() - began


def _by_http(
    service: Service, database: SqlDatabase, officer: Officer, incident: str, rows: Sequence[Row]
) -> tuple[list[float], float]:
    bodies = [
        b"\n".join(_content(row) for row in rows[start : start + BATCH])
        for start in range(0, len(rows), BATCH)
    ]
    headers = {**service.headers(_FEED), "Tocsin-Delivery": "backfill"}
    stored = _stored(database)

    def post(mine: Sequence[bytes]) -> None:
        with httpx.Client(timeout=60) as client:
            for body in mine:
                client.post(service.address(_FEED), content=body, headers=headers).raise_for_status()

    senders = [threading.Thread(target=post, args=(bodies[number::2],)) for number in range(2)]
    began = time.perf_counter()
    for sender in senders:
        sender.start()
    found = officer.while_(
        incident, lambda: any(sender.is_alive() for sender in senders) or _backlog(database) > 0
    )
    if _stored(database) - stored != len(rows):
        raise RuntimeError("Not every row that was posted is stored.")
    return found, time.perf_counter() - began


def _backlog(database: SqlDatabase) -> int:
    with database.read() as connection:
        last = connection.execute(select(func.max(event_log.c.position))).scalar() or 0
        done = connection.execute(select(func.max(event_log_cursor.c.position))).scalar() or 0
    return int(last - done)


def _stored(database: SqlDatabase) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(event_version)).scalar_one())
