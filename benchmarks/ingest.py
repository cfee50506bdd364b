"""Ingest: NDJSON posted to the running service until every record is committed and counted.

The service is a process of its own on SQLite with ``synchronous = FULL``, with every job running; two connections post
batches of 500. The clock stops when intake has applied the last record. Three kinds of material: *years* is thirteen
years of Kent and Medway's own volume, as a first load would bring them; *dense* is one year at thirteen times that
volume; *flood* is 3,000 records that all happened within two days, two hundred times the usual: what tripwires, which
look at all that happened around a record, like least.

Beside it: the very rows that the service stored (log, event versions, counts), written again by bare ``sqlite3`` with the
same indexes, journal and batch size, and no validation, screening, HTTP or detection: the most this disk could take.
"""

import queue
import sqlite3
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx

from benchmarks.machine import largest_memory
from benchmarks.material import Batch, batches, busier, simulated
from benchmarks.results import Figure, distribution, spread
from benchmarks.service import KENT, Service, measured
from schemas.geography import load_kent_and_medway
from streams.simulation.records import SimulatedRecord
from tocsin.clocks import SystemClock

TARGET = 2000.0
BATCH = 500
CONNECTIONS = 2
_KINDS = {"years": (1.0, 13 * 365), "dense": (13.0, 365), "flood": (13.0, 33)}
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    records: int
    seconds: float
    answer_seconds: Sequence[float]
    """Of each batch, until it was durable and answered."""
    posting_seconds: float
    processor_seconds: float
    """Of the service: what a record costs on any machine, however busy."""
    memory: float
    bare_seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def bare_rate(self) -> float:
        """The same of bare inserts."""
        return self.records / self.bare_seconds


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Run each kind so many times (three), on a fresh database each time."""
    figures: list[Figure] = []
    for kind in _KINDS:
        found = _material(kind, seed)
        results = [_run(batches(found, BATCH)) for _ in range(runs or 3)]
        figures += _figures(kind, results)
    note = (
        f"Records of all four feeds in NDJSON batches of {BATCH} over {CONNECTIONS} connections, to committed and "
        "counted rows; SQLite, WAL, synchronous FULL; client, service and jobs on one machine."
    )
    return figures, note


def _figures(kind: str, results: Sequence[Result]) -> list[Figure]:
    rates = [one.rate for one in results]
    ratio = median(one.rate / one.bare_rate for one in results)
    answers = [seconds for one in results for seconds in one.answer_seconds]
    shares = median(one.processor_seconds / one.seconds for one in results)
    memory = median(one.memory for one in results)
    posted = [one.records / one.posting_seconds for one in results]
    return [
        Figure(
            f"{kind}: {results[0].records:,} records, events a second",
            spread(rates),
            f"{TARGET:,.0f}",
            median(rates) >= TARGET,
            f"bare sqlite3, the same rows: {spread([one.bare_rate for one in results])}; ratio {ratio:.2f}",
        ),
        Figure(f"{kind}: accepted and durable in the log, events a second", spread(posted)),
        Figure(f"{kind}: answer to one batch", distribution(answers)),
        Figure(
            f"{kind}: processor time of the service for a record, ms",
            spread([one.processor_seconds / one.records * 1000 for one in results], ".2f"),
            peer=f"its share of one core {shares:.0%}; its memory {memory:.0f} MiB",
        ),
    ]


def _material(kind: str, seed: int) -> list[SimulatedRecord]:
    factor, days = _KINDS[kind]
    now = SystemClock().now()
    found = simulated(KENT, now, days, seed, parameters=busier(factor), label=f"ingest-{kind}")
    if kind == "flood":
        step = timedelta(days=2) / len(found)
        found = [
            replace(
                one,
                event=one.event.model_copy(update={"occurred_at": now - timedelta(days=2) + number * step}),
            )
            for number, one in enumerate(found)
        ]
    return found


def _run(work: Sequence[Batch]) -> Result:
    total = sum(batch.records for batch in work)
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        service = Service(Path(folder))
        service.enter_people_and_keys()
        with service.running() as process:
            time.sleep(3)  # its first look at nothing, which every start has
            with measured(process) as used:
                answers, posting = _post(service, work)
                _wait_until_counted(service.database_file, total)
            memory = largest_memory(process)
        seconds = used[1]
        bare = _bare(service.database_file, Path(folder) / "bare.sqlite")
    print(
        f"  {total:,} records in {seconds:.1f} s: {total / seconds:,.0f} a second; bare {bare:.1f} s",
        flush=True,
    )
    return Result(total, seconds, answers, posting, used[0], memory, bare)


def _post(service: Service, work: Sequence[Batch]) -> tuple[list[float], float]:
    """Post all batches over the connections; return each answer's time, and that of all together."""
    waiting: queue.SimpleQueue[Batch] = queue.SimpleQueue()
    for batch in work:
        waiting.put(batch)
    answers: list[float] = []
    problems: list[str] = []

    def post() -> None:
        with httpx.Client(timeout=60) as client:
            while True:
                try:
                    batch = waiting.get_nowait()
                except queue.Empty:
                    return
                began = time.perf_counter()
                answer = client.post(
                    service.address(batch.feed), content=batch.body, headers=dict(service.headers(batch.feed))
                )
                answers.append(time.perf_counter() - began)
                if answer.status_code != 202 or answer.json()["accepted"] != batch.records:
                    problems.append(answer.text[:500])
                    return

    began = time.perf_counter()
    threads = [threading.Thread(target=post) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError(f"The service refused records: {problems[0]}")
    return answers, time.perf_counter() - began


def _wait_until_counted(path: Path, total: int) -> None:
    """Wait until intake has applied the last record, then check that every one is stored and counted."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        until = time.perf_counter() + _PATIENCE_SECONDS
        applied = (
            "SELECT (SELECT max(position) FROM event_log_cursor) = (SELECT max(position) FROM event_log)"
        )
        while not database.execute(applied).fetchone()[0]:
            if time.perf_counter() > until:
                raise RuntimeError("Intake did not finish.")
            time.sleep(0.02)
        stored = database.execute("SELECT count(*) FROM event_version").fetchone()[0]
        counted = database.execute(
            "SELECT sum(\"count\") FROM count_cell WHERE substance_class = 'any' AND area = ?",
            (str(load_kent_and_medway().root),),
        ).fetchone()[0]
        if (stored, counted) != (total, total):
            raise RuntimeError(f"{total} were sent, {stored} are stored and {counted} counted.")


def _bare(source: Path, target: Path) -> float:
    """Write the rows that the service stored into an empty database with the same tables; return the seconds."""
    names = ("event_log", "event_version", "count_cell")
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as database:
        marks = ", ".join("?" for _ in names)
        tables = database.execute(
            f"SELECT sql FROM sqlite_master WHERE tbl_name IN ({marks}) AND sql IS NOT NULL "
            "ORDER BY type = 'index'",
            names,
        ).fetchall()
        rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    made = sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        made.execute(f"PRAGMA {pragma}")
    for (statement,) in tables:
        made.execute(statement)
    began = time.perf_counter()
    for name, content in rows.items():
        insert = f"INSERT INTO {name} VALUES ({', '.join('?' for _ in content[0])})"
        for start in range(0, len(content), BATCH):
            made.execute("BEGIN IMMEDIATE")
            made.executemany(insert, content[start : start + BATCH])
            made.execute("COMMIT")
    seconds = time.perf_counter() - began
    made.close()
    return seconds
