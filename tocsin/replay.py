"""``tocsin replay``: the same engine on files of real records, as they became known, on the virtual clock.

1. Every row becomes an event by the mapping, with the moment at which it became known.
2. What was known before the replay begins (a year, unless ``--from`` says otherwise) is loaded in bulk: it teaches.
3. Thresholds are learnt from null histories simulated with the habits of that first period, and of no later one.
4. The rest is played, moment by moment; incidents are opened as they would have been, and nobody is told.

It uses a database of its own and reads no settings file: real channels are not even looked at.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import SecretStr
from rich.console import Console

from alerts.settings import AlertsSettings, Contact, LinkSettings
from detectors.budget import Budget
from detectors.calibration import NullHistory, Played, Setup, learn, play
from detectors.sightings import occurrences_of
from detectors.terrain import terrain_of
from detectors.tripwire_thresholds import TripwireThresholds
from schemas.clock import civil_day
from schemas.geography import Geography, load_geography
from schemas.substances import SubstanceClass, Taxonomy, default_taxonomy
from schemas.vocabulary import Feed, Jurisdiction
from streams.connectors.csv_files import Tally, read_events
from streams.connectors.mapping import DelayRule, FileMapping, load_mapping
from streams.decoding import counted_as
from streams.history import series_of
from streams.profile import DEFAULT_FEEDS, JurisdictionProfile
from streams.settings import GeographyFiles, JurisdictionSettings
from streams.simulation.fitting import CountedEvent, fit_rates
from streams.simulation.rates import FittedRates, simulate_from_rates
from tocsin import report
from tocsin.calibration import COUNTED_DAYS, TRAINING_DAYS, setup_of, workers
from tocsin.clocks import VirtualClock
from tocsin.learnt import Learnt, uncalibrated, with_never_learnt
from tocsin.logging import configure_logging
from tocsin.playing import Arrival, Player
from tocsin.progress import progress
from tocsin.settings import Settings
from tocsin.wiring import build

_TEACHES = timedelta(days=365)
_YEARS_EACH = COUNTED_DAYS / 365.25


class ReplayError(ValueError):
    """The replay cannot be run as asked; one sentence says why."""


@dataclass(frozen=True)
class Request:
    """What a replay was asked for (see ``tocsin replay --help``)."""

    files: Sequence[Path]
    mapping: Path
    geography: Path
    aliases: Path | None = None
    geojson: Path | None = None
    json_file: Path | None = None
    seed: int = 0
    first_day: date | None = None
    last_day: date | None = None
    name: str | None = None
    time_zone: str = "Europe/London"
    holiday_country: str = "GB"
    holiday_subdivision: str | None = None
    calibration_years: int = 200
    database: Path | None = None


@dataclass(frozen=True)
class Read:
    """The records of all files, and what became of the rows."""

    arrivals: list[Arrival]
    tally: Tally
    seconds: float


def main(files: Sequence[Path], **options: object) -> None:
    """Run a replay and print what it found."""
    configure_logging("warning", json=False)
    run(Request(files=files, **options), Console(highlight=False, soft_wrap=True))  # type: ignore[arg-type]


def run(request: Request, console: Console) -> dict[str, object]:
    """Run a replay; return (and with ``json_file`` write) its incidents and timeline."""
    mapping = load_mapping(request.mapping)
    profile = profile_for(request, mapping)
    taxonomy = default_taxonomy()
    read = read_all(request, mapping, profile.geography, taxonomy)
    _say_read(console, read)
    if not read.arrivals:
        msg = "No row of these files became an event; see docs/how-to/map-a-file.md."
        raise ReplayError(msg)
    begin = _begin(request, read.arrivals, profile.zone)
    history = [arrival for arrival in read.arrivals if arrival.known_at < begin]
    rest = [arrival for arrival in read.arrivals if arrival.known_at >= begin]
    if request.last_day is not None:
        rest = [arrival for arrival in rest if civil_day(arrival.known_at, profile.zone) <= request.last_day]
    console.print(
        f"{len(history):,} records known before {begin.date()} teach; {len(rest):,} are played as they became known."
    )
    started = time.perf_counter()
    learnt = calibrate(request, profile, taxonomy, history)
    calibrating = time.perf_counter() - started
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-") as folder:
        path = request.database or Path(folder) / "replay.sqlite"
        if path.exists():
            msg = f"{path} exists already; name a file that does not, or leave --database out."
            raise ReplayError(msg)
        content, playing = _play(request, profile, learnt, history, rest, begin, path)
    content["summary"] = {
        "records": len(read.arrivals),
        "not_placed": read.tally.not_placed,
        "filtered": read.tally.filtered,
        "problems": read.tally.problems,
        "quarantined": content.pop("quarantined"),
        "seed": request.seed,
        "thresholds": learnt.counts.note,
    }
    if quarantined := content["summary"]["quarantined"]:  # type: ignore[index]
        console.print(
            f"[bold]{sum(quarantined.values()):,} records were refused and are counted nowhere:[/bold] "
            + ", ".join(
                f"{number:,} {code.replace('_', ' ')}" for code, number in sorted(quarantined.items())
            )
        )
    _say_found(console, content, {profile.jurisdiction: profile})
    console.print(
        f"\n{len(read.arrivals):,} records in {playing:.1f} s of playing: {len(read.arrivals) / playing:,.0f} a second, "
        f"detection included; calibration took {calibrating:.1f} s besides."
    )
    if request.json_file is not None:
        report.write(request.json_file, content)
    return content


def profile_for(request: Request, mapping: FileMapping) -> JurisdictionProfile:
    """Return the profile of the place that a replay is about."""
    if not isinstance(mapping.jurisdiction, str):
        msg = "A replay is of one jurisdiction: give the mapping a constant one."
        raise ReplayError(msg)
    name = request.name or mapping.jurisdiction.replace("-", " ").title()
    geography = load_geography(request.geography, name=name, aliases=request.aliases, geojson=request.geojson)
    usual = DEFAULT_FEEDS[mapping.feed]
    return JurisdictionProfile(
        jurisdiction=Jurisdiction(mapping.jurisdiction),
        name=name,
        geography=geography,
        zone=ZoneInfo(request.time_zone),
        feeds={mapping.feed: replace(usual, completeness=declared_completeness(mapping.delay))},
        holiday_country=request.holiday_country,
        holiday_subdivision=request.holiday_subdivision,
    )


def declared_completeness(delay: DelayRule) -> tuple[float, ...]:
    """Return what a mapping's delay says of the share known by the end of day 0, 1, 2 ... (then all)."""
    if delay.column is not None:
        return DEFAULT_COLUMN_DELAY
    if delay.days is not None:
        whole = int(np.ceil(delay.days))
        return tuple([_HARDLY_ANY] * whole) or (0.999,)
    if delay.median_days is not None:
        from scipy.stats import lognorm

        law = lognorm(s=max(delay.sigma or 0.0, 1e-6), scale=delay.median_days)
        last = int(np.ceil(law.ppf(0.995)))
        return tuple(float(max(law.cdf(age + 0.5), _HARDLY_ANY)) for age in range(last))
    return (0.999,)


DEFAULT_COLUMN_DELAY = (0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97)
"""Assumed of a file that says when each record became known, until its own delays are learnt."""
_HARDLY_ANY = 1e-3


def read_all(request: Request, mapping: FileMapping, geography: Geography, taxonomy: Taxonomy) -> Read:
    """Read every file into arrivals, in the order in which they became known."""
    started = time.perf_counter()
    arrivals: list[Arrival] = []
    total = Tally()
    size = sum(path.stat().st_size for path in request.files)
    folders = tuple(
        {path.parent for path in (*request.files, *([request.aliases] if request.aliases else []))}
    )
    with progress("Reading", max(size, 1)) as tell:
        done = 0
        for path in request.files:
            rows = read_events(path, mapping, geography, taxonomy, tables=folders)
            arrivals += [
                Arrival(row.known_at, row.event, f"{path.name} {row.place}")
                for row in rows
                if row.event is not None and row.known_at is not None
            ]
            done += path.stat().st_size
            tell(done)
            for name in ("rows", "mapped", "filtered", "problems", "not_placed"):
                setattr(total, name, getattr(total, name) + getattr(rows.tally, name))
    arrivals.sort(key=lambda arrival: (arrival.known_at, arrival.event.event_id))
    return Read(arrivals, total, time.perf_counter() - started)


def _begin(request: Request, arrivals: Sequence[Arrival], zone: ZoneInfo) -> datetime:
    if request.first_day is not None:
        return datetime.combine(request.first_day, datetime.min.time(), zone).astimezone(UTC)
    first = min(arrival.event.occurred_at for arrival in arrivals) + _TEACHES
    return datetime.combine(civil_day(first, zone), datetime.min.time(), zone).astimezone(UTC)


def calibrate(
    request: Request, profile: JurisdictionProfile, taxonomy: Taxonomy, history: Sequence[Arrival]
) -> Learnt:
    """Learn thresholds from null histories with the habits of the records that teach."""
    counted = [_counted(arrival, profile, taxonomy) for arrival in history]
    stated = uncalibrated(profile.jurisdiction)
    stated = stated.model_copy(update={"tripwires": without_ordinary_supply(stated.tripwires, counted)})
    if request.calibration_years == 0 or len(history) < FEWEST_TO_LEARN_FROM:
        return stated
    return learn_from(
        counted,
        profile,
        stated,
        years=request.calibration_years,
        seed=request.seed,
        told=f"the {len(history):,} records known before the replay began",
    )


def learn_from(
    counted: Sequence[CountedEvent],
    profile: JurisdictionProfile,
    stated: Learnt,
    *,
    years: float,
    seed: int,
    told: str,
    budget: Budget | None = None,
    masks: Collection[tuple[date, date]] = (),
) -> Learnt:
    """Learn the thresholds of counts from null histories with the habits of counted events.

    Parameters
    ----------
    counted : sequence of CountedEvent
        What teaches; at least one.
    profile : JurisdictionProfile
    stated : Learnt
        What holds besides: the tripwires are not learnt here.
    years : float
        How many simulated years are counted.
    seed : int
    told : str
        What the events are, for the record.
    budget : Budget, optional
    masks : collection of (date, date)
        Periods, ends included, that teach nothing: neither their events nor that there were none.
    """
    rates = fit_rates(
        counted,
        terrain=terrain_of(profile.geography),
        populations={code: area.population for code, area in profile.geography.areas.items()},
        first_day=min(one.day for one in counted),
        last_day=_mostly_known(counted),
        masks=masks,
    )
    count = max(1, round(years / _YEARS_EACH))
    seeds = np.random.SeedSequence(seed).spawn(count)
    job = _PlayNull(rates, setup_of(profile), tuple(profile.feeds))
    played: list[Played] = []
    with progress("Calibrating", count) as tell, workers() as pool:
        for number, one in enumerate(pool.map(job, seeds), 1):
            played.append(one)
            tell(number)
    note = f"Learnt from {count} simulated histories of {_YEARS_EACH:.1f} years with the habits of {told}."
    counts = with_never_learnt(learn(played, budget=budget, seed=seed, note=note))
    return stated.model_copy(update={"counts": counts})


FEWEST_TO_LEARN_FROM = 30


@dataclass(frozen=True)
class _PlayNull:
    """Draws one null history and plays it, in a worker process."""

    rates: FittedRates
    setup: Setup
    feeds: tuple[Feed, ...]

    def __call__(self, seed: np.random.SeedSequence) -> Played:
        sightings = simulate_from_rates(
            self.rates,
            first_day=date(2014, 1, 6),
            n_days=TRAINING_DAYS + COUNTED_DAYS,
            rng=np.random.default_rng(seed),
        )
        counts = occurrences_of(sightings, self.rates.areas, series_of(self.feeds))
        return play(NullHistory(counts, sightings), self.setup)


def without_ordinary_supply(
    tripwires: TripwireThresholds, teaching: Sequence[CountedEvent]
) -> TripwireThresholds:
    """Return tripwires whose watch list lacks what the records that teach found about once a month or more.

    A class of the ordinary supply is no news by itself; its counts are still tested like every other. However long the
    records go back, a class must have been found as often as that; in less than a year, as often as in a year.
    """
    found = Counter(name for event in teaching for name in event.classes)
    days = [event.day for event in teaching]
    years = max((max(days) - min(days)).days / 365.25, 1.0) if days else 1.0
    ordinary = {name for name in tripwires.watch_list if found[name] >= _ORDINARY_A_YEAR * years}
    return tripwires.model_copy(update={"watch_list": tripwires.watch_list - ordinary})


_ORDINARY_A_YEAR = 12


def _mostly_known(counted: Sequence[CountedEvent]) -> date:
    """Return the last day of which nine events in ten are known by now: later days would look too quiet."""
    delays = sorted((one.known_day - one.day).days for one in counted)
    last_known = max(one.known_day for one in counted)
    first = min(one.day for one in counted)
    return max(last_known - timedelta(days=delays[int(0.9 * (len(delays) - 1))]), first)


def _counted(arrival: Arrival, profile: JurisdictionProfile, taxonomy: Taxonomy) -> CountedEvent:
    counted = counted_as(arrival.event, profile, taxonomy)
    return CountedEvent(
        day=counted.day,
        known_day=max(civil_day(arrival.known_at, profile.zone), counted.day),
        area=None if counted.detection_area == profile.geography.root else counted.detection_area,
        feed=arrival.event.feed,
        classes=frozenset(SubstanceClass(name) for name in counted.classes),
        fine=counted.area,
    )


def _play(
    request: Request,
    profile: JurisdictionProfile,
    learnt: Learnt,
    history: Sequence[Arrival],
    rest: Sequence[Arrival],
    begin: datetime,
    path: Path,
) -> tuple[dict[str, object], float]:
    started = time.perf_counter()
    clock = VirtualClock(begin)
    house = build(
        replay_settings(profile, request, path),
        clock,
        owner="replay",
        durable=False,
        profiles={profile.jurisdiction: profile},
        learnt={profile.jurisdiction: learnt},
        people=lambda *_parts: (),
    )
    player = Player(house, clock)
    player.backfill(history, "replay-history")
    end = rest[-1].known_at + timedelta(days=1) if rest else begin
    span = max((end - begin).total_seconds(), 1.0)
    with progress("Replaying", span) as tell:
        player.play(
            rest,
            "replay",
            until=end,
            progress=lambda moment, _records: tell((moment - begin).total_seconds()),
        )
    with house.database.read() as connection:
        content = report.document(connection, quarantined=player.quarantined())
    house.close()
    return content, time.perf_counter() - started


def replay_settings(profile: JurisdictionProfile, request: Request, path: Path) -> Settings:
    """Return settings that tell nobody anything and keep everything in one file."""
    return Settings.model_construct(
        database_url=SecretStr(f"sqlite:///{path}"),
        jurisdictions={
            profile.jurisdiction: JurisdictionSettings(
                name=profile.name, geography=GeographyFiles(table=request.geography)
            )
        },
        alerts=AlertsSettings(
            fallback=Contact(person="nobody", name="Nobody"),
            links=LinkSettings(
                base_url="http://localhost", secret=SecretStr("replay tells nobody anything, ever")
            ),
            tell_people=False,
        ),
        web=Settings.model_fields["web"].default,
        detection=Settings.model_fields["detection"].default,
        log=Settings.model_fields["log"].default,
        drop_folders=(),
    )


def _say_read(console: Console, read: Read) -> None:
    tally = read.tally
    console.print(
        f"{tally.rows:,} rows read in {read.seconds:.1f} s: {tally.mapped:,} became events, {tally.filtered:,} were "
        f"filtered out by the mapping, {tally.problems:,} had a problem. {tally.not_placed:,} could not be placed in an "
        "area and count for the whole jurisdiction."
    )


def _say_found(
    console: Console, content: Mapping[str, object], profiles: Mapping[Jurisdiction, JurisdictionProfile]
) -> None:
    incidents: Sequence[Mapping[str, object]] = content["incidents"]  # type: ignore[assignment]
    by_tier = {tier: sum(item["tier"] == tier for item in incidents) for tier in ("page", "review")}
    console.print(
        f"\n{len(incidents)} incidents: {by_tier['page']} at page tier, {by_tier['review']} at review tier."
    )
    for item in incidents:
        console.print(
            f"{str(item['opened_at'])[:10]}  {report.incident_words(item, profiles)}", highlight=False
        )
