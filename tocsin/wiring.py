"""The composition root: every part of the house, made from settings and put together.

``tocsin run``, replay, demo and the tests call :func:`build`; nothing else knows all the parts. This is where
``streams`` is handed what ``alerts`` does with a signal, since the two never import each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy import Connection

from alerts.attach import attach_or_open, on_evidence_withdrawn
from alerts.desk import Desk
from alerts.jobs import channels_of, people_jobs
from schemas import migrations
from schemas.clock import Clock
from schemas.signals import Signal
from schemas.substances import default_taxonomy
from schemas.vocabulary import Jurisdiction
from streams import jurisdictions
from streams.detection import Cadence, DetectionRuns
from streams.detectors import detectors_of
from streams.housekeeping import Housekeeping
from streams.intake import Intake
from streams.log.embedded import EmbeddedLog
from streams.profile import JurisdictionProfile
from streams.settings import profile_of
from streams.tripwires import StoredTripwires
from tocsin.database import SqlDatabase
from tocsin.drop_folders import DropFolderJob, folders_of
from tocsin.engine import Job
from tocsin.learnt import Learnt, learnt_for
from tocsin.metrics import Metrics
from tocsin.settings import Settings


@dataclass(frozen=True)
class House:
    """The parts, put together."""

    settings: Settings
    clock: Clock
    database: SqlDatabase
    profiles: Mapping[Jurisdiction, JurisdictionProfile]
    learnt: Mapping[Jurisdiction, Learnt]
    desk: Desk
    metrics: Metrics
    log: EmbeddedLog
    intake: Intake
    detection: DetectionRuns
    jobs: Sequence[Job]

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_database(settings: Settings, *, durable: bool = True) -> SqlDatabase:
    """Open the database and bring its tables to this version."""
    database = SqlDatabase(settings.database_url.get_secret_value(), durable=durable)
    with database.write() as connection:
        migrations.upgrade(connection)
    return database


def profiles_of(settings: Settings) -> dict[Jurisdiction, JurisdictionProfile]:
    """Load every jurisdiction's geography and rules."""
    return {
        Jurisdiction(name): profile_of(Jurisdiction(name), one)
        for name, one in sorted(settings.jurisdictions.items())
    }


def learnt_of(settings: Settings) -> dict[Jurisdiction, Learnt]:
    """Load every jurisdiction's thresholds."""
    return {
        Jurisdiction(name): learnt_for(Jurisdiction(name), one.thresholds)
        for name, one in sorted(settings.jurisdictions.items())
    }


def build(
    settings: Settings,
    clock: Clock,
    *,
    owner: str,
    durable: bool = True,
    profiles: Mapping[Jurisdiction, JurisdictionProfile] | None = None,
    learnt: Mapping[Jurisdiction, Learnt] | None = None,
    people: Callable[[SqlDatabase, Desk, Clock, Metrics], Sequence[Job]] | None = None,
) -> House:
    """Put the house together.

    Parameters
    ----------
    settings : Settings
    clock : Clock
        The system's, or a virtual one.
    owner : str
        Names this process in leases and claims; unique among processes that share the database.
    durable : bool
        Off only where the database is thrown away or made again: a replay, the demo.
    profiles, learnt : mappings, optional
        Instead of what the settings name: a replay brings its own.
    people : callable, optional
        Makes the jobs of the people side; left out, those of ``alerts`` with the channels that the settings name.
    """
    database = open_database(settings, durable=durable)
    profiles = profiles if profiles is not None else profiles_of(settings)
    learnt = learnt if learnt is not None else learnt_of(settings)
    taxonomy = default_taxonomy()
    metrics = Metrics()
    desk = Desk(settings.alerts, {name: profile.geography for name, profile in profiles.items()})
    with database.write() as connection:
        jurisdictions.ensure(connection, list(profiles))

    def on_signals(connection: Connection, signals: Sequence[Signal], now: datetime) -> None:
        attach_or_open(connection, signals, now, desk=desk)

    def on_withdrawn(connection: Connection, identities: Sequence[str], now: datetime) -> None:
        on_evidence_withdrawn(connection, identities, now, desk=desk)

    log = EmbeddedLog(database)
    intake = Intake(
        database,
        clock,
        profiles,
        taxonomy,
        tripwires=StoredTripwires({name: one.tripwires for name, one in learnt.items()}, taxonomy),
        on_signals=on_signals,
        on_withdrawn=on_withdrawn,
        metrics=metrics,
    )
    detection = DetectionRuns(
        database,
        clock,
        profiles,
        detectors={name: detectors_of(profile) for name, profile in profiles.items()},
        thresholds={name: one.counts for name, one in learnt.items()},
        on_signals=on_signals,
        metrics=metrics,
        owner=owner,
        cadence=Cadence(
            debounce=timedelta(seconds=settings.detection.debounce_seconds),
            daily_at=settings.detection.daily_at,
            lease=timedelta(seconds=settings.detection.lease_seconds),
        ),
        stopwatch=perf_counter,
    )
    housekeeping = Housekeeping(database, profiles, prune_log=log.prune, started_at=clock.now())
    folders = DropFolderJob(folders_of(settings.drop_folders, profiles, taxonomy, database, log), clock.now())
    make_people_jobs = people or _people_jobs(owner)
    return House(
        settings=settings,
        clock=clock,
        database=database,
        profiles=profiles,
        learnt=learnt,
        desk=desk,
        metrics=metrics,
        log=log,
        intake=intake,
        detection=detection,
        jobs=(detection, *make_people_jobs(database, desk, clock, metrics), folders, housekeeping),
    )


def _people_jobs(owner: str) -> Callable[[SqlDatabase, Desk, Clock, Metrics], Sequence[Job]]:
    """Return what makes the people side's jobs, with the channels that the settings name."""

    def make(database: SqlDatabase, desk: Desk, clock: Clock, metrics: Metrics) -> Sequence[Job]:
        channels = channels_of(desk, _print_line)
        return people_jobs(database, desk, clock, channels, owner=owner, counter=metrics)

    return make


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the console log is a channel)
