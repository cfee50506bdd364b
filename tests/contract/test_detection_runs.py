"""Detection runs on both databases: when they are due, the lease, and history as it was known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import Connection, select

from detectors.area_counts import AreaCounts
from detectors.contract import Look
from detectors.zones import zones_of
from schemas.signals import Signal
from schemas.tables.detection import jurisdiction_state
from schemas.tables.detection import signal as signal_table
from schemas.vocabulary import Delivery, Feed, Jurisdiction, Tier
from streams import jurisdictions
from streams.detection import Cadence, DetectionRuns, LeaseLostError, usual
from streams.history import completeness, history_cube, recent_cube, series_of
from streams.profile import JurisdictionProfile
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.learnt import uncalibrated

KENT = Jurisdiction("kent-and-medway")
Record = Callable[..., dict[str, object]]
FeedIn = Callable[..., None]


class NoMetrics:
    def detection_finished(self, seconds: float, now: datetime) -> None: ...

    def signal(self, detector: str, tier: Tier) -> None: ...

    def detector_failed(self, detector: str, reason: str) -> None: ...


class Named:
    """What a detector is besides what it finds."""

    name = "made_up"
    family = "made_up"

    def learn(self, past: object) -> None: ...


class Told:
    def __init__(self) -> None:
        self.signals: list[Signal] = []

    def __call__(self, connection: Connection, signals: Sequence[Signal], now: datetime) -> None:
        self.signals += signals


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make_runs(
    database: SqlDatabase,
    clock: VirtualClock,
    profiles: dict[Jurisdiction, JurisdictionProfile],
    told: Told,
) -> Callable[..., DetectionRuns]:
    geography = profiles[KENT].geography
    detector = AreaCounts(zones_of(geography.detection_areas(), geography.adjacent, geography.root))

    def make(
        owner: str = "one", detectors: Sequence[object] | None = None, limit: float = 60.0
    ) -> DetectionRuns:
        return DetectionRuns(
            database,
            clock,
            profiles,
            detectors={KENT: detectors or (detector,)},  # type: ignore[dict-item]
            thresholds={KENT: uncalibrated(KENT).counts},
            on_signals=told,
            metrics=NoMetrics(),
            owner=owner,
            cadence=Cadence(debounce=timedelta(seconds=5), limit=timedelta(seconds=limit)),
            stopwatch=lambda: 0.0,
        )

    return make


@pytest.fixture
def a_quiet_year(feed_in: FeedIn, record: Record) -> None:
    """One naloxone record in Thanet every fifth day of the year before."""
    start = datetime(2017, 1, 10, 12, tzinfo=UTC)
    feed_in(
        *(
            record(f"old-{number}", occurred_at=(start + timedelta(days=5 * number)).isoformat())
            for number in range(74)
        ),
        delivery=Delivery.BACKFILL,
    )


def signals_stored(database: SqlDatabase) -> int:
    with database.read() as connection:
        return len(connection.execute(select(signal_table)).all())


def test_new_data_is_looked_at_after_the_debounce_and_calm_once_a_day(
    make_runs: Callable[..., DetectionRuns], clock: VirtualClock, feed_in: FeedIn, record: Record
) -> None:
    runs = make_runs()
    runs.look_at(KENT)
    now = clock.now()
    assert runs.next_due(now) == datetime(2018, 1, 23, 6, tzinfo=UTC)
    feed_in(record())
    assert runs.next_due(now) == now + timedelta(seconds=5)
    clock.move_to(now + timedelta(seconds=5))
    runs.run(clock.now())
    assert runs.next_due(clock.now()) == datetime(2018, 1, 23, 6, tzinfo=UTC)


@pytest.mark.usefixtures("a_quiet_year")
def test_a_cluster_is_found_stored_once_with_its_evidence_and_handed_on(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    feed_in: FeedIn,
    record: Record,
    told: Told,
) -> None:
    feed_in(*(record(f"new-{number}") for number in range(8)))
    runs = make_runs()
    runs.look_at(KENT)
    strongest = told.signals[0]
    assert strongest.areas == ("E07000114",)
    assert strongest.observed == 8
    assert len(strongest.evidence) == 8
    assert strongest.newest_evidence_at == datetime(2018, 1, 22, 10, tzinfo=UTC)
    before = signals_stored(database)
    runs.look_at(KENT)
    assert signals_stored(database) == before
    assert len(told.signals) == before


@pytest.mark.usefixtures("a_quiet_year")
def test_a_cluster_that_was_loaded_in_bulk_does_not_page(
    make_runs: Callable[..., DetectionRuns], feed_in: FeedIn, record: Record, told: Told
) -> None:
    feed_in(*(record(f"new-{number}") for number in range(20)), delivery=Delivery.BACKFILL)
    make_runs().look_at(KENT)
    assert told.signals
    assert all(signal.tier is not Tier.PAGE for signal in told.signals)


def test_a_held_lease_keeps_others_out_until_it_lapses(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    clock: VirtualClock,
    feed_in: FeedIn,
    record: Record,
) -> None:
    feed_in(record())
    with database.write() as connection:
        state = jurisdictions.claim(
            connection, KENT, owner="other", now=clock.now(), lease=timedelta(minutes=5)
        )
    assert state is not None
    runs = make_runs()
    runs.look_at(KENT)
    with database.read() as connection:
        assert connection.execute(select(jurisdiction_state.c.lease_owner)).scalar_one() == "other"
        assert jurisdictions.states(connection)[0].is_dirty
    due = runs.next_due(clock.now())
    assert due is not None
    assert due > clock.now() + timedelta(minutes=5) - timedelta(seconds=1)
    clock.move_to(due)
    runs.run(clock.now())
    with database.read() as connection:
        assert not jurisdictions.states(connection)[0].is_dirty


@pytest.mark.usefixtures("a_quiet_year")
def test_a_run_that_outlives_its_lease_writes_nothing_and_the_next_one_does_the_work(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    clock: VirtualClock,
    feed_in: FeedIn,
    record: Record,
    told: Told,
    profiles: dict[Jurisdiction, JurisdictionProfile],
) -> None:
    geography = profiles[KENT].geography
    real = AreaCounts(zones_of(geography.detection_areas(), geography.adjacent, geography.root))

    class Slow(Named):
        def detect(self, look: object) -> list[Signal]:
            clock.move_to(clock.now() + timedelta(minutes=6))
            return real.detect(look)  # type: ignore[arg-type]

    feed_in(*(record(f"new-{number}") for number in range(8)))
    with pytest.raises(LeaseLostError):
        make_runs("slow", [Slow()]).look_at(KENT)
    assert signals_stored(database) == 0
    assert told.signals == []
    make_runs("quick").look_at(KENT)
    assert told.signals


def test_what_arrives_during_a_run_is_looked_at_again(
    make_runs: Callable[..., DetectionRuns], clock: VirtualClock, feed_in: FeedIn, record: Record
) -> None:
    class Interrupted(Named):
        def detect(self, look: object) -> list[Signal]:
            feed_in(record("meanwhile"))
            return []

    feed_in(record())
    runs = make_runs("one", [Interrupted()])
    runs.look_at(KENT)
    due = runs.next_due(clock.now())
    assert due is not None
    assert due <= clock.now() + timedelta(seconds=5)


class Broken(Named):
    """Fails when it learns, or when it looks."""

    def __init__(self, *, learning: bool) -> None:
        self.learning = learning
        self.mended = False

    def learn(self, past: object) -> None:
        if self.learning and not self.mended:
            raise ZeroDivisionError

    def detect(self, look: object) -> list[Signal]:
        if not self.mended:
            raise FloatingPointError
        return []


@pytest.mark.usefixtures("a_quiet_year")
@pytest.mark.parametrize("learning", [True, False])
def test_a_detector_that_fails_is_replaced_by_the_simplest_one_and_operators_can_see_it(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    feed_in: FeedIn,
    record: Record,
    told: Told,
    learning: bool,
) -> None:
    feed_in(*(record(f"new-{number}") for number in range(12)))
    broken = Broken(learning=learning)
    runs = make_runs("one", [broken])
    runs.look_at(KENT)
    assert {signal.detector for signal in told.signals} == {"fallback"}
    assert Tier.PAGE in {signal.tier for signal in told.signals}
    assert state_of(database).failed_parts == ("made_up",)
    since = state_of(database).failing_since
    runs.look_at(KENT)
    assert state_of(database).failing_since == since is not None
    broken.mended = True
    runs.look_at(KENT)
    assert state_of(database).failed_parts == ()
    assert state_of(database).failing_since is None


@pytest.mark.usefixtures("a_quiet_year")
def test_one_that_fails_does_not_silence_the_others(
    make_runs: Callable[..., DetectionRuns],
    feed_in: FeedIn,
    record: Record,
    told: Told,
    profiles: dict[Jurisdiction, JurisdictionProfile],
) -> None:
    geography = profiles[KENT].geography
    sound = AreaCounts(zones_of(geography.detection_areas(), geography.adjacent, geography.root))
    feed_in(*(record(f"new-{number}") for number in range(8)))
    make_runs("one", [Broken(learning=True), sound]).look_at(KENT)
    assert {signal.detector for signal in told.signals} == {"fallback", "area_counts"}


@pytest.mark.usefixtures("a_quiet_year")
def test_one_that_cannot_learn_does_not_make_the_others_learn_again_at_every_look(
    make_runs: Callable[..., DetectionRuns], database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    class Sound(Named):
        name = "sound"
        learnings = 0

        def __init__(self) -> None:
            self.seen: list[object] = []

        def learn(self, past: object) -> dict[str, int]:  # type: ignore[override]
            self.learnings += 1
            return {"figure": 7}

        def detect(self, look: Look) -> list[Signal]:
            self.seen.append(look.learnt.get(self.name))
            return []

    sound, broken = Sound(), Broken(learning=True)
    feed_in(record())
    runs = make_runs("one", [sound, broken])
    runs.look_at(KENT)
    runs.look_at(KENT)
    assert sound.learnings == 1
    assert sound.seen == [{"figure": 7}, {"figure": 7}]
    assert state_of(database).failed_parts == ("made_up",)
    broken.mended = True
    runs.look_at(KENT)
    assert sound.learnings == 1
    assert state_of(database).failed_parts == ()


@pytest.mark.usefixtures("a_quiet_year")
def test_one_that_takes_too_long_is_given_up_and_not_asked_again_while_it_runs(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    feed_in: FeedIn,
    record: Record,
    told: Told,
) -> None:
    class Stuck(Named):
        released = Event()
        asked = 0

        def detect(self, look: object) -> list[Signal]:
            self.asked += 1
            self.released.wait(30)
            return []

    stuck = Stuck()
    feed_in(*(record(f"new-{number}") for number in range(12)))
    runs = make_runs("one", [stuck], limit=0.2)
    runs.look_at(KENT)
    runs.look_at(KENT)
    assert stuck.asked == 1
    assert {signal.detector for signal in told.signals} == {"fallback"}
    assert state_of(database).failed_parts == ("made_up",)
    stuck.released.set()


@pytest.mark.usefixtures("a_quiet_year")
def test_a_run_of_many_slow_parts_keeps_its_lease(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    clock: VirtualClock,
    feed_in: FeedIn,
    record: Record,
) -> None:
    """Two minutes each, six of them, under a lease of five minutes: each is within its limit, all are not."""

    class Slow(Named):
        def __init__(self, number: int) -> None:
            self.name = f"slow_{number}"

        def detect(self, look: object) -> list[Signal]:
            clock.move_to(clock.now() + timedelta(minutes=2))
            return []

    feed_in(record())
    make_runs("one", [Slow(number) for number in range(6)]).look_at(KENT)
    assert not state_of(database).is_dirty


@pytest.mark.usefixtures("a_quiet_year")
def test_a_declared_change_of_definition_starts_the_level_anew(
    database: SqlDatabase, profiles: dict[Jurisdiction, JurisdictionProfile]
) -> None:
    profile = profiles[KENT]
    with database.read() as connection:
        series = series_of([Feed.AMBULANCE_NALOXONE])
        last = date(2018, 1, 21)
        cube = history_cube(
            connection, profile, series, as_of=datetime(2018, 1, 23, tzinfo=UTC), last_day=last
        )
    shifted = replace(profile, level_shifts=((Feed.AMBULANCE_NALOXONE, date(2017, 12, 1)),))
    before, after = (usual(one, cube, {}) for one in (profile, shifted))
    assert after.level_shape.max() < before.level_shape.max(), "less is known of the level since then"


def test_a_fit_that_fails_leaves_the_simplest_detector_looking(
    make_runs: Callable[..., DetectionRuns],
    database: SqlDatabase,
    feed_in: FeedIn,
    record: Record,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise FloatingPointError

    monkeypatch.setattr("streams.detection.fit_baseline", fails)
    feed_in(*(record(f"new-{number}") for number in range(12)))
    make_runs().look_at(KENT)
    assert {signal.detector for signal in told.signals} == {"fallback"}
    assert state_of(database).failed_parts == ("baseline",)


def test_what_was_learnt_survives_a_restart(
    make_runs: Callable[..., DetectionRuns], feed_in: FeedIn, record: Record
) -> None:
    class Learning(Named):
        learnings = 0
        seen: object = None

        def learn(self, past: object) -> dict[str, int]:  # type: ignore[override]
            self.learnings += 1
            return {"figure": 7}

        def detect(self, look: Look) -> list[Signal]:
            self.seen = look.learnt[self.name]
            return []

    feed_in(record())
    one = Learning()
    make_runs("one", [one]).look_at(KENT)
    make_runs("after a restart", [one]).look_at(KENT)
    assert one.learnings == 1
    assert one.seen == {"figure": 7}


def state_of(database: SqlDatabase) -> jurisdictions.State:
    with database.read() as connection:
        return jurisdictions.states(connection)[0]


def test_history_is_read_as_it_was_known_then(
    database: SqlDatabase,
    clock: VirtualClock,
    feed_in: FeedIn,
    record: Record,
    profiles: dict[Jurisdiction, JurisdictionProfile],
) -> None:
    profile = profiles[KENT]
    series = series_of([Feed.AMBULANCE_NALOXONE])
    feed_in(record("a"), record("b"))
    before = clock.now()
    clock.move_to(before + timedelta(days=2))
    feed_in(record("a", status="retracted"), record("c"))
    with database.read() as connection:
        then = history_cube(connection, profile, series, as_of=before, last_day=date(2018, 1, 22))
        now = history_cube(connection, profile, series, as_of=clock.now(), last_day=date(2018, 1, 22))
        cube = recent_cube(connection, profile, series, today=date(2018, 1, 22), days=1)
    any_class = next(index for index, one in enumerate(series) if one[1] == "any")
    thanet = then.areas.index("E07000114")
    assert then.counts[any_class, -1, thanet] == 2
    assert now.counts[any_class, -1, thanet] == 2
    assert (now.counts == cube.counts).all()
    assert then.counts[any_class, -1, -1] == 2


def test_reporting_delays_are_learnt_from_live_records_only(
    database: SqlDatabase,
    clock: VirtualClock,
    feed_in: FeedIn,
    record: Record,
    profiles: dict[Jurisdiction, JurisdictionProfile],
) -> None:
    profile = profiles[KENT]
    feed_in(
        *(record(f"bulk-{number}", occurred_at="2018-01-02T10:00:00Z") for number in range(90)),
        delivery=Delivery.BACKFILL,
    )
    with database.read() as connection:
        declared = completeness(connection, profile, as_of=clock.now())[Feed.AMBULANCE_NALOXONE]
    assert declared[0] == pytest.approx(0.6, abs=1e-6)
    feed_in(*(record(f"slow-{number}", occurred_at="2018-01-20T10:00:00Z") for number in range(90)))
    with database.read() as connection:
        learnt = completeness(connection, profile, as_of=clock.now())[Feed.AMBULANCE_NALOXONE]
    assert learnt[0] < 0.4
    assert learnt[-1] == 1.0
