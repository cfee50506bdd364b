"""What stands behind a signal of counts, and behind thresholds: as it stands now, and as it stood at a past moment."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from schemas.geography import AreaCode
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Delivery, Feed, Jurisdiction, Tier
from streams.evidence import complete
from streams.profile import JurisdictionProfile
from tests.contract.conftest import KENT
from tocsin.calibrating import counted_events
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

THANET = AreaCode("E07000114")


def a_page() -> Signal:
    return Signal(
        jurisdiction=KENT,
        detector="area_counts",
        family="area_counts",
        key="ambulance_naloxone:any:area",
        areas=(THANET,),
        window_start=date(2018, 1, 20),
        window_end=date(2018, 1, 22),
        feeds=(FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=3, expected=0.2),),
        substance_class=SubstanceClass.ANY,
        observed=3,
        expected=0.2,
        interval=(0.0, 1.0),
        p_value=1e-4,
        recurrence_interval_days=400.0,
        tier=Tier.PAGE,
        newest_evidence_at=datetime(2018, 1, 22, tzinfo=UTC),
        parameters={},
        model_version="made-up",
        sentence="Made up.",
    )


def test_a_page_that_rested_on_news_is_not_held_back_by_what_was_loaded_afterwards(
    database: SqlDatabase,
    clock: VirtualClock,
    profiles: dict[Jurisdiction, JurisdictionProfile],
    feed_in: Callable[..., None],
    record: Callable[..., dict[str, object]],
) -> None:
    feed_in(*(record(f"live-{number}") for number in range(3)))
    then = clock.now()
    clock.move_to(then + timedelta(days=2))
    feed_in(*(record(f"bulk-{number}") for number in range(9)), delivery=Delivery.BACKFILL)
    with database.read() as connection:
        now = complete(connection, profiles[KENT], a_page())
        looked_back = complete(connection, profiles[KENT], a_page(), as_of=then)
    assert (now.tier, len(now.evidence)) == (Tier.REVIEW, 12)
    assert (looked_back.tier, len(looked_back.evidence)) == (Tier.PAGE, 3)


def test_a_correction_weeks_later_does_not_make_a_feed_look_late_to_calibration(
    database: SqlDatabase,
    clock: VirtualClock,
    profiles: dict[Jurisdiction, JurisdictionProfile],
    feed_in: Callable[..., None],
    record: Callable[..., dict[str, object]],
) -> None:
    feed_in(record("call"))
    clock.move_to(clock.now() + timedelta(days=40))
    feed_in(record("call", suspected=["heroin", "isotonitazene"], status="corrected"))
    with database.read() as connection:
        (counted,) = counted_events(connection, profiles[KENT], clock.now())
    assert counted.known_day == counted.day
