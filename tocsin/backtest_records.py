"""Where a backtest's records come from: files, taken in as they became known, or the database as it stands.

Files go through the very intake that replay uses, on the virtual clock, into a database that is thrown away afterwards;
only the looks are left out, because the backtest makes its own. Nobody is told anything, and no settings file is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select

from schemas.clock import civil_day, monday_of, start_of_day
from schemas.substances import default_taxonomy
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery
from streams.connectors.mapping import FileMapping, load_mapping
from streams.profile import JurisdictionProfile
from tocsin import replay
from tocsin.backtest_play import Period
from tocsin.calibrating import counted_events
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.learnt import Learnt, uncalibrated
from tocsin.looking_back import AN_INSTANT
from tocsin.playing import Arrival, Player
from tocsin.progress import progress
from tocsin.wiring import build

EVENT = event_version.c
DEFAULT_YEARS = 200
_EVE = timedelta(minutes=1)
"""What teaches is loaded so long before the first Monday."""


class BacktestError(ValueError):
    """The backtest cannot be run as asked; one sentence says why."""


@dataclass(frozen=True)
class Files:
    """Files of records, and what is needed to read them (see ``tocsin backtest --help``)."""

    files: tuple[Path, ...]
    mappings: tuple[Path, ...]
    """One for all files, or one for each."""
    geography: Path
    aliases: Path | None = None
    geojson: Path | None = None
    name: str | None = None
    time_zone: str = "Europe/London"
    holiday_country: str = "GB"
    holiday_subdivision: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Which days, and how thresholds are learnt."""

    first_day: date | None
    last_day: date | None
    seed: int
    calibration_years: int | None


@dataclass(frozen=True)
class Records:
    """A database with records in it, and what they are looked at with."""

    database: SqlDatabase
    profile: JurisdictionProfile
    learnt: Learnt
    period: Period
    facts: dict[str, object]
    """What became of the records, for the report."""


@contextmanager
def from_files(files: Files, wanted: Wanted) -> Iterator[Records]:
    """Take in files as they became known, and learn from what was known before the period begins."""
    parts, profile = _parts(files)
    taxonomy = default_taxonomy()
    reads = [replay.read_all(part, mapping, profile.geography, taxonomy) for part, mapping in parts]
    arrivals = sorted(
        (one for read in reads for one in read.arrivals), key=lambda one: (one.known_at, one.event.event_id)
    )
    if not arrivals:
        raise BacktestError("No row of these files became an event; see docs/how-to/map-a-file.md.")
    period = _period(arrivals, wanted, profile)
    # The week of the first day is looked at with what was known as it began: all before that is loaded in bulk.
    monday = start_of_day(monday_of(period.first), profile.zone)
    begin = start_of_day(period.first, profile.zone)
    end = start_of_day(period.last + timedelta(days=1), profile.zone)
    past = [one for one in arrivals if one.known_at < monday]
    live = [one for one in arrivals if monday <= one.known_at < end]
    if not any(one.known_at >= begin for one in live):
        raise BacktestError(
            f"No record became known from {period.first} to {period.last}, so there is nothing to look at."
        )
    years = DEFAULT_YEARS if wanted.calibration_years is None else wanted.calibration_years
    asked = replace(parts[0][0], calibration_years=years, seed=wanted.seed)
    learnt = replay.calibrate(asked, profile, taxonomy, past)
    if not learnt.is_calibrated:
        raise BacktestError(
            f"Only {len(past)} records were known before {period.first}: too few to learn thresholds from. Begin later "
            f"(--from); it takes {replay.FEWEST_TO_LEARN_FROM}."
        )
    with TemporaryDirectory(prefix="tocsin-backtest-") as folder:
        path = Path(folder) / "backtest.sqlite"
        database, quarantined = _take_in(asked, profile, learnt, past, live, monday - _EVE, path)
        facts: dict[str, object] = {
            "source": "files",
            "files": [path.name for path in files.files],
            "records": len(arrivals),
            "teach": len(past),
            "played": len(live),
            "not_placed": sum(read.tally.not_placed for read in reads),
            "filtered": sum(read.tally.filtered for read in reads),
            "problems": sum(read.tally.problems for read in reads),
            "quarantined": quarantined,
        }
        try:
            yield Records(database, profile, learnt, period, facts)
        finally:
            database.close()


def _parts(files: Files) -> tuple[list[tuple[replay.Request, FileMapping]], JurisdictionProfile]:
    """Return what to read with which mapping, and the profile of the place with the feeds of all mappings."""
    if len(files.mappings) not in (1, len(files.files)):
        raise BacktestError(
            f"There are {len(files.files)} files and {len(files.mappings)} mappings: give one --mapping for all files, "
            "or one for each, in the same order."
        )
    mappings = files.mappings if len(files.mappings) > 1 else files.mappings * len(files.files)
    parts: list[tuple[replay.Request, FileMapping]] = []
    profile: JurisdictionProfile | None = None
    for path in dict.fromkeys(mappings):
        mapping = load_mapping(path)
        request = replay.Request(
            [file for file, own in zip(files.files, mappings, strict=True) if own == path],
            path,
            files.geography,
            aliases=files.aliases,
            geojson=files.geojson,
            name=files.name,
            time_zone=files.time_zone,
            holiday_country=files.holiday_country,
            holiday_subdivision=files.holiday_subdivision,
        )
        own_profile = replay.profile_for(request, mapping)
        if profile is not None and own_profile.jurisdiction != profile.jurisdiction:
            raise BacktestError(
                f"The mappings are of {profile.jurisdiction} and {own_profile.jurisdiction}: a backtest is of one place."
            )
        feeds = {**(profile.feeds if profile is not None else {}), **own_profile.feeds}
        profile = replace(profile or own_profile, feeds=feeds)
        parts.append((request, mapping))
    if profile is None:
        raise BacktestError("Give at least one file, or --database.")
    return parts, profile


def _period(arrivals: Sequence[Arrival], wanted: Wanted, profile: JurisdictionProfile) -> Period:
    first = wanted.first_day
    if first is None:
        earliest = min(one.event.occurred_at for one in arrivals)
        first = civil_day(earliest + timedelta(days=365), profile.zone)
    last = wanted.last_day or civil_day(arrivals[-1].known_at, profile.zone)
    return _checked(first, last)


def _checked(first: date, last: date) -> Period:
    if last < first:
        raise BacktestError(
            f"The period would begin on {first}, after its end on {last}; choose its days with --from and --to."
        )
    return Period(first, last)


def _take_in(
    request: replay.Request,
    profile: JurisdictionProfile,
    learnt: Learnt,
    past: Sequence[Arrival],
    live: Sequence[Arrival],
    begin: datetime,
    path: Path,
) -> tuple[SqlDatabase, dict[str, int]]:
    """Take in the records as they became known: intake and tripwires, but no looks."""
    clock = VirtualClock(begin)
    house = build(
        replay.replay_settings(profile, request, path),
        clock,
        owner="backtest",
        durable=False,
        profiles={profile.jurisdiction: profile},
        learnt={profile.jurisdiction: learnt},
        people=lambda *_parts: (),
    )
    player = Player(replace(house, jobs=()), clock)
    player.backfill(past, "backtest-history")
    span = max((live[-1].known_at - begin).total_seconds(), 1.0)
    with progress("Taking in", span) as tell:
        player.play(
            live, "backtest", progress=lambda moment, _records: tell((moment - begin).total_seconds())
        )
    return house.database, player.quarantined()


@contextmanager
def from_database(
    database: SqlDatabase, profile: JurisdictionProfile, learnt: Learnt, wanted: Wanted, now: datetime
) -> Iterator[Records]:
    """Use what the service has taken in, with the thresholds in force unless others are to be learnt."""
    with database.read() as connection:
        span = connection.execute(
            select(func.min(EVENT.known_at), func.max(EVENT.known_at), func.count()).where(
                EVENT.jurisdiction == profile.jurisdiction,
                EVENT.delivery == Delivery.LIVE.value,
                EVENT.known_at <= now,
            )
        ).one()
        if not span[2]:
            raise BacktestError(
                f"No record of {profile.name} ever arrived live, so nothing could have been found as it happened; for "
                "records that were loaded in bulk, backtest the files."
            )
        period = _checked(
            wanted.first_day or civil_day(span[0], profile.zone),
            wanted.last_day or civil_day(span[1], profile.zone),
        )
        begin = start_of_day(period.first, profile.zone) - AN_INSTANT
        years = wanted.calibration_years
        if years is None and not learnt.is_calibrated:
            years = DEFAULT_YEARS
        if years:
            counted = counted_events(connection, profile, begin)
            if len(counted) < replay.FEWEST_TO_LEARN_FROM:
                raise BacktestError(
                    f"Only {len(counted)} records were known before {period.first}: too few to learn thresholds from. "
                    f"Begin later (--from); it takes {replay.FEWEST_TO_LEARN_FROM}."
                )
            stated = learnt if learnt.is_calibrated else uncalibrated(profile.jurisdiction)
            learnt = replay.learn_from(
                counted,
                profile,
                stated,
                years=years,
                seed=wanted.seed,
                told=f"the {len(counted):,} records known before {period.first}",
            )
    if not learnt.is_calibrated:
        raise BacktestError(
            f"{profile.name} has no learnt thresholds; leave --calibration-years out, or see `tocsin calibrate`."
        )
    facts: dict[str, object] = {"source": "database", "live_records": span[2]}
    yield Records(database, profile, learnt, period, facts)
