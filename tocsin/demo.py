"""``tocsin demo``: the whole service on the embedded default, on a story that takes three years and some minutes.

1. Two years of simulated history of Kent and Medway are loaded in bulk: they teach what is usual and page nobody.
2. A quiet year is played on the virtual clock. Whatever pages in it is a false page, and is counted as one.
3. January 2018: nine people from one address in Thanet. February: a nitazene spike across Thanet and Canterbury.
4. The console is served on this machine, with a one-time sign-in link, until Ctrl-C. The clock there goes on from the
   end of the story, and the last incident waits for the visitor.

It has a database and channels of its own; no settings file is read.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from alerts.channels import Channel
from alerts.channels.console_log import ConsoleLog
from alerts.desk import Desk
from alerts.jobs import people_jobs
from alerts.settings import AlertsSettings, Contact, LinkSettings
from schemas.clock import Clock, start_of_day
from schemas.geography import load_kent_and_medway
from schemas.vocabulary import Jurisdiction
from streams.settings import JurisdictionSettings
from streams.simulation.demo import demo_script
from streams.simulation.places import KENT_HOSPITALS, places_from
from streams.simulation.records import SimulatedRecord
from streams.simulation.scenarios import nitazene_spike, thanet_household
from tocsin import report
from tocsin.clocks import RunningClock, VirtualClock
from tocsin.database import SqlDatabase
from tocsin.demo_people import ON_CALL, Cast, ScriptedOnCall
from tocsin.demo_story import Cluster, Timeline, false_pages, find
from tocsin.engine import Job
from tocsin.logging import configure_logging
from tocsin.metrics import Metrics
from tocsin.playing import Arrival, Player
from tocsin.progress import progress
from tocsin.settings import DetectionSettings, LogSettings, Settings, WebSettings
from tocsin.wiring import House, build

KENT = Jurisdiction("kent-and-medway")
DEFAULT_PORT = 8321
NOMINAL_PAGES_A_YEAR = 4.0
_AFTERMATH = timedelta(hours=18)
"""The story ends so long after the last record of the spike."""
_VISITOR_TAKES_OVER = timedelta(hours=1)
"""So long before the end of the story, the scripted officer stops acting."""


def main(
    *,
    serve: bool = True,
    json_file: Path | None = None,
    seed: int = 0,
    port: int | None = None,
    directory: Path | None = None,
) -> None:
    """Play the story, print it, and serve the console."""
    configure_logging("warning", json=False)
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        folder = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-demo-")))
        house, content = play(folder, seed=seed, console=console, port=DEFAULT_PORT if port is None else port)
        stack.callback(house.close)
        if json_file is not None:
            report.write(json_file, content)
            console.print(f"Wrote {json_file}.")
        if serve:
            _serve(house, console)


def play(
    folder: Path, *, seed: int, console: Console, port: int = DEFAULT_PORT, quiet_only: bool = False
) -> tuple[House, dict[str, Any]]:
    """Play the story into a database in ``folder``; return the house and what happened.

    With ``quiet_only`` it ends with the quiet year: for counting false pages over many seeds.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    script = demo_script(seed, load_kent_and_medway())
    begin = start_of_day(script.quiet_from)
    quiet_ends = start_of_day(script.quiet_to + timedelta(days=1))
    clusters = story_clusters()
    until = quiet_ends if quiet_only else clusters[-1].records[-1].known_at + _AFTERMATH
    live = [record for record in script.live if record.known_at < until]
    clock = VirtualClock(begin)
    house = build(
        demo_settings(folder, port),
        clock,
        owner="demo",
        durable=False,
        people=_local_people(until - _VISITOR_TAKES_OVER),
    )
    with house.database.write() as connection:
        Cast(KENT).enter(connection, begin, begin + timedelta(days=36_500))
    console.print(
        f"Tocsin demo: Kent and Medway, 13 authorities. {len(script.backfill):,} simulated records of 2015 and 2016 are "
        f"loaded as history;\n{len(live):,} more arrive one by one from {begin.date()} to {until.date()} (seed {seed}).\n"
    )
    player = Player(house, clock)
    player.backfill(_arrivals(script.backfill), "demo-history")
    timeline = Timeline(console, house.database, house.profiles)
    span = (until - begin).total_seconds()
    with progress("Playing", span) as tell:

        def after(moment: datetime, records: int) -> None:
            timeline.arrived(moment, records)
            tell((moment - begin).total_seconds())

        player.play(_arrivals(live), "demo", until=until, progress=after)
    timeline.finish()
    with house.database.read() as connection:
        content = report.document(
            connection,
            summary={
                "seed": seed,
                "records": player.records,
                "quarantined": player.quarantined(),
                "false_pages_in_the_quiet_year": false_pages(connection, begin, quiet_ends),
                "nominal_false_pages_a_year": NOMINAL_PAGES_A_YEAR,
                "clusters": [] if quiet_only else [find(connection, one).as_json() for one in clusters],
            },
        )
    _say_summary(console, content["summary"], time.perf_counter() - started)
    return house, content


def story_clusters() -> tuple[Cluster, Cluster]:
    """Return the two scripted clusters: the household counts from its third record, the spike from its second."""
    places = places_from(load_kent_and_medway(), KENT, KENT_HOSPITALS)
    return (
        Cluster("Thanet household, January 2018", thanet_household(places), counted_from=3),
        Cluster("Nitazene spike, February 2018", nitazene_spike(places), counted_from=2),
    )


def demo_settings(folder: Path, port: int) -> Settings:
    """Return settings that keep everything in ``folder`` and on this machine."""
    return Settings.model_construct(
        database_url=SecretStr(f"sqlite:///{folder / 'demo.sqlite'}"),
        jurisdictions={KENT: JurisdictionSettings(name="Kent and Medway")},
        alerts=AlertsSettings(
            fallback=Contact(person="sam-reed", name="Sam Reed", email="sam.reed@example.org"),
            links=LinkSettings(
                base_url=f"http://localhost:{port}",
                secret=SecretStr(secrets.token_urlsafe(48)),
                sign_in_minutes=720,
            ),
        ),
        web=WebSettings(port=port),
        detection=DetectionSettings(),
        log=LogSettings(level="warning"),
        drop_folders=(),
    )


def _arrivals(records: Sequence[SimulatedRecord]) -> list[Arrival]:
    return [
        Arrival(record.known_at, record.event, f"record {number}") for number, record in enumerate(records, 1)
    ]


def _local_people(until: datetime) -> Callable[[SqlDatabase, Desk, Clock, Metrics], Sequence[Job]]:
    """Return what makes the people side's jobs: a channel that leads nowhere, and the scripted officer."""

    def make(database: SqlDatabase, desk: Desk, clock: Clock, metrics: Metrics) -> Sequence[Job]:  # noqa: ARG001
        channels: dict[str, Channel] = {"console_log": ConsoleLog(lambda _line: None)}
        jobs = people_jobs(database, desk, clock, channels, owner="demo")
        return (*jobs, ScriptedOnCall(database, desk, KENT, until=until))

    return make


def _say_summary(console: Console, summary: Mapping[str, Any], seconds: float) -> None:
    console.print(
        f"\n{summary['records']:,} records played in {seconds:.0f} s. In the quiet year, with nothing real behind them, "
        f"{summary['false_pages_in_the_quiet_year']} incidents paged:\nexpected false pages, of which the budget allows "
        f"{NOMINAL_PAGES_A_YEAR:.0f} a year on average."
    )
    for cluster in summary["clusters"]:
        hours = cluster["hours_to_page"]
        words = (
            "NOT FOUND"
            if hours is None
            else f"paged {_duration(hours)} after its record {cluster['counted_from_record']}"
        )
        console.print(f"{cluster['cluster']}: {words} ({', '.join(cluster['incidents']) or 'no incident'}).")


def _duration(hours: float) -> str:
    return f"{hours * 60:.1f} minutes" if hours < 2 else f"{hours:.1f} hours"  # noqa: PLR2004 (reads better)


def _serve(house: House, console: Console) -> None:
    """Serve the console from the end of the story on, until Ctrl-C."""
    from tocsin.service import serve
    from tocsin.web.sign_in import sign_in_url

    clock = RunningClock(house.clock.now())
    going_on = build(house.settings, clock, owner="demo", profiles=house.profiles, learnt=house.learnt)
    url, _ = sign_in_url(house.settings.alerts.links, ON_CALL.id, clock.now())
    console.print(f"\nThe console, signed in as {ON_CALL.name} (this link works once):\n\n    {url}\n")
    console.print("Ctrl-C ends the demo and throws its database away.")
    try:
        serve(going_on)
    finally:
        going_on.close()
