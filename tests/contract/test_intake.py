"""Intake on both databases: what each kind of message does to versions, counts, quarantine and sources."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import TimeoutError as NoConnectionError

from schemas.tables.counts import count_cell
from schemas.tables.events import event_version, feed_source, quarantine, unknown_substance
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams import counting, jurisdictions, versions
from streams.intake import Intake
from streams.log.port import LogRecord, Position, Positioned
from streams.profile import JurisdictionProfile
from streams.quarantine import QuarantineItem, put
from streams.quarantine import put as put_into_quarantine
from tests.contract.conftest import KENT, START, Desk
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

Record = Callable[..., dict[str, object]]
FeedIn = Callable[..., None]
Profiles = dict[Jurisdiction, JurisdictionProfile]


def counts(database: SqlDatabase) -> dict[tuple[str, str], int]:
    """Return (area, class) to count, of the cells that are not zero."""
    with database.read() as connection:
        rows = connection.execute(select(count_cell)).mappings().all()
    return {(row["area"], row["substance_class"]): row["count"] for row in rows if row["count"]}


def refusals(database: SqlDatabase) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [
            (row.reason_code, row.reason)
            for row in connection.execute(select(quarantine).order_by(quarantine.c.id))
        ]


def versions_stored(database: SqlDatabase) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(event_version)).scalar_one()


@pytest.fixture(autouse=True)
def counts_equal_a_rebuild(database: SqlDatabase, profiles: Profiles) -> Iterator[None]:
    """After every test here, whatever it did, the incremental counts equal those made from the events."""
    yield
    with database.read() as connection:
        assert counting.compare(connection, profiles) == []


def test_an_event_counts_once_in_its_class_and_once_in_any_at_its_area_and_above(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record())
    assert counts(database) == {
        ("E07000114", "opiate"): 1,
        ("E07000114", "any"): 1,
        ("KM", "opiate"): 1,
        ("KM", "any"): 1,
    }


def test_naloxone_without_a_named_substance_counts_as_an_unknown_opioid(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(suspected=[]))
    assert ("E07000114", "unknown_opioid") in counts(database)


def test_a_record_without_an_address_counts_for_the_whole_jurisdiction_and_is_not_quarantined(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(areas={"event": "no_fixed_abode"}))
    assert counts(database) == {("KM", "opiate"): 1, ("KM", "any"): 1}
    assert refusals(database) == []


def test_the_same_content_again_is_dropped_and_counted_as_a_duplicate(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(), record())
    feed_in(record())
    assert versions_stored(database) == 1
    with database.read() as connection:
        source = connection.execute(select(feed_source)).one()
    assert (source.accepted, source.duplicates, source.redelivered) == (1, 2, 0)


def test_a_redelivery_of_our_own_log_is_told_apart_from_a_senders_duplicate(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record())
    feed_in(record(), at=1)
    with database.read() as connection:
        source = connection.execute(select(feed_source)).one()
    assert (source.accepted, source.duplicates, source.redelivered) == (1, 0, 1)


def test_a_correction_moves_the_event_to_its_new_area(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record())
    feed_in(record(areas={"event": "E07000106"}, status="corrected"))
    assert counts(database)["E07000106", "any"] == 1
    assert ("E07000114", "any") not in counts(database)
    assert counts(database)["KM", "any"] == 1


def test_a_retraction_takes_the_event_out_and_tells_the_incident_workflow(
    database: SqlDatabase, feed_in: FeedIn, record: Record, desk: Desk
) -> None:
    feed_in(record())
    feed_in(record(status="retracted"))
    assert counts(database) == {}
    assert len(desk.withdrawn) == 1


def test_a_correction_that_only_adds_a_substance_takes_nothing_back(
    database: SqlDatabase, feed_in: FeedIn, record: Record, desk: Desk
) -> None:
    feed_in(record())
    feed_in(record(suspected=["heroin", "isotonitazene"], status="corrected"))
    assert desk.withdrawn == []
    assert counts(database)["E07000114", "nitazene"] == 1


def test_a_late_repeat_of_an_older_version_changes_nothing(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record())
    feed_in(record(areas={"event": "E07000106"}, status="corrected"))
    feed_in(record())
    assert counts(database)["E07000106", "any"] == 1
    assert versions_stored(database) == 2


def test_a_correction_back_to_what_was_said_first_is_believed(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record())
    feed_in(record(areas={"event": "E07000106"}, status="corrected"))
    feed_in(record(status="corrected"))
    assert counts(database)["E07000114", "any"] == 1


def test_numbered_versions_arriving_out_of_order_end_at_the_highest(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(version=2, areas={"event": "E07000106"}))
    feed_in(record(version=1))
    assert counts(database)["E07000106", "any"] == 1
    assert ("E07000114", "any") not in counts(database)
    assert versions_stored(database) == 2


def test_the_same_id_and_version_with_other_content_is_quarantined_and_the_first_stands(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(version=1))
    feed_in(record(version=1, areas={"event": "E07000106"}))
    assert [code for code, _ in refusals(database)] == ["version_conflict"]
    assert counts(database)["E07000114", "any"] == 1


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"occurred_at": "2018-01-23T12:00:00Z"}, "future", "future"),
        ({"areas": {"event": "E07999999"}}, "unknown_area", "areas.event"),
        ({"doses": 3}, "invalid", "doses must be a list"),
        ({"patient": "John Smith"}, "invalid", "is not a field"),
        ({"occurred_at": "2018-01-22T10:00:00"}, "invalid", "time zone"),
        ({"jurisdiction": "elsewhere"}, "wrong_feed", "another feed or jurisdiction"),
    ],
)
def test_a_record_that_does_not_validate_is_quarantined_with_a_sentence_and_the_rest_goes_on(
    database: SqlDatabase, feed_in: FeedIn, record: Record, changes: dict[str, object], code: str, words: str
) -> None:
    feed_in(record("before"), record("bad", **changes), record("after"))
    [(found, sentence)] = refusals(database)
    assert found == code
    assert words in sentence
    assert "John" not in sentence
    assert counts(database)["KM", "any"] == 2


def test_a_field_that_no_message_has_is_not_kept_even_in_quarantine(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(patient="John Smith"))
    with database.read() as connection:
        [row] = connection.execute(select(quarantine)).all()
    assert "John" not in str(row)
    assert not row.body_complete


def test_malformed_json_is_quarantined_and_blocks_nothing(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(), raw=[b'{"feed": '])
    assert [code for code, _ in refusals(database)] == ["malformed"]
    assert counts(database)["KM", "any"] == 1


def test_a_record_on_which_our_own_code_fails_is_set_aside_and_the_others_are_taken_in(
    database: SqlDatabase, feed_in: FeedIn, record: Record, desk: Desk
) -> None:
    desk.fail_on = {"poison"}
    feed_in(record("a"), record("poison"), record("b"))
    assert [code for code, _ in refusals(database)] == ["our_fault"]
    assert counts(database)["KM", "any"] == 2


def test_a_substance_nobody_knows_is_stored_as_unknown_and_waits_in_the_restricted_list(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(suspected=["Jane Doe"]))
    with database.read() as connection:
        [row] = connection.execute(select(event_version)).all()
        listed = connection.execute(select(unknown_substance.c.text)).scalars().all()
    assert row.body["suspected"] == ["unknown"]
    assert "Jane" not in str(row)
    assert listed == ["Jane Doe"]


def test_what_was_known_at_a_past_moment_can_be_read_back(
    database: SqlDatabase, feed_in: FeedIn, record: Record, clock: VirtualClock
) -> None:
    feed_in(record())
    before = clock.now()
    clock.move_to(before + timedelta(days=3))
    feed_in(record(areas={"event": "E07000106"}, status="corrected"), record("call-2"))
    clock.move_to(before + timedelta(days=5))
    feed_in(record("call-2", status="retracted"))

    def areas_at(moment: datetime) -> list[str]:
        with database.read() as connection:
            statement = (
                select(event_version.c.area)
                .where(versions.known_at(moment))
                .order_by(event_version.c.identity)
            )
            return sorted(connection.execute(statement).scalars())

    assert areas_at(before - timedelta(seconds=1)) == []
    assert areas_at(before) == ["E07000114"]
    assert areas_at(before + timedelta(days=4)) == ["E07000106", "E07000114"]
    assert areas_at(before + timedelta(days=6)) == ["E07000106"]


@pytest.mark.parametrize(
    ("precision", "grain", "day"), [("week", "week", "2018-01-22"), ("month", "month", "2018-01-01")]
)
def test_an_event_known_to_a_week_or_month_only_never_enters_the_daily_counts(
    database: SqlDatabase, feed_in: FeedIn, record: Record, precision: str, grain: str, day: str
) -> None:
    feed_in(record(precision=precision, occurred_at="2018-01-22T11:00:00Z"))
    with database.read() as connection:
        rows = connection.execute(select(count_cell.c.grain, count_cell.c.day)).all()
    assert {(row.grain, row.day.isoformat()) for row in rows} == {(grain, day)}


@pytest.mark.parametrize(
    ("changes", "stratum"),
    [
        ({"place_type": "prison_or_custody"}, "prison"),
        ({"place_type": "school"}, "school"),
        ({"intent": "self_harm"}, "self_harm"),
        ({}, "general"),
    ],
)
def test_prison_school_and_self_harm_are_counted_apart(
    database: SqlDatabase, feed_in: FeedIn, record: Record, changes: dict[str, object], stratum: str
) -> None:
    feed_in(record(**changes))
    with database.read() as connection:
        assert set(connection.execute(select(count_cell.c.stratum)).scalars()) == {stratum}


def test_the_day_is_the_civil_day_in_london(database: SqlDatabase, feed_in: FeedIn, record: Record) -> None:
    feed_in(record(occurred_at="2017-07-01T23:30:00Z"), delivery=Delivery.BACKFILL)
    with database.read() as connection:
        assert {day.isoformat() for day in connection.execute(select(count_cell.c.day)).scalars()} == {
            "2017-07-02"
        }


def test_tokens_are_not_in_the_stored_body_and_are_forgotten_after_28_days(
    database: SqlDatabase, feed_in: FeedIn, record: Record, clock: VirtualClock
) -> None:
    feed_in(record(scene="a" * 20, subject="b" * 20))
    with database.write() as connection:
        [row] = connection.execute(select(event_version)).all()
        assert (row.scene, row.subject) == ("a" * 20, "b" * 20)
        assert "aaaa" not in str(row.body)
        assert versions.forget_tokens(connection, datetime(2018, 3, 1, tzinfo=UTC)) == 1
        [row] = connection.execute(select(event_version)).all()
    assert (row.scene, row.subject) == (None, None)


def test_a_record_that_the_database_cannot_hold_does_not_stop_the_ones_after_it(
    database: SqlDatabase, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record(event_id="odd", suspected=["bl\x00ue"]), record(event_id="good"))
    assert counts(database)[("E07000114", "opiate")] == 1
    assert {code for code, _ in refusals(database)} <= {"our_fault"}


@pytest.mark.parametrize("status", ["corrected", "retracted"])
def test_an_original_that_comes_after_its_own_correction_does_not_replace_it(
    database: SqlDatabase, feed_in: FeedIn, record: Record, status: str
) -> None:
    feed_in(record(status=status, areas={"event": "E07000106"}))
    after_correction = counts(database)
    feed_in(record())
    assert counts(database) == after_correction
    assert versions_stored(database) == 2
    # It has come now: what is new after that is the next word again.
    feed_in(record(cardiac_arrest=True))
    assert counts(database)["E07000114", "any"] == 1


def test_an_event_cannot_be_taken_back_by_another_jurisdiction(
    database: SqlDatabase, feed_in: FeedIn, record: Record, intake: Intake, profiles: Profiles
) -> None:
    elsewhere = Jurisdiction("elsewhere")
    profiles[elsewhere] = JurisdictionProfile(elsewhere, "Elsewhere", profiles[KENT].geography)
    with database.write() as connection:
        jurisdictions.ensure(connection, [elsewhere])
    feed_in(record())
    before = counts(database)
    body = json.dumps(record(jurisdiction=elsewhere, status="retracted")).encode()
    sent = LogRecord(Feed.AMBULANCE_NALOXONE, elsewhere, Delivery.LIVE, "test", START, body)
    intake.handle([Positioned(Position("other", 0, 1), sent)])
    del profiles[elsewhere]
    assert counts(database) == before
    assert [code for code, _ in refusals(database)] == ["identity_in_other_jurisdiction"]


@pytest.mark.parametrize("precision", ["day", "week", "month"])
def test_a_record_of_today_is_taken_in_before_its_noon(
    database: SqlDatabase, feed_in: FeedIn, record: Record, clock: VirtualClock, precision: str
) -> None:
    # START is a Monday's noon; a date without a time of day is written as noon.
    day = {"day": "2018-01-23", "week": "2018-01-28", "month": "2018-01-31"}[precision]
    later = {"day": "2018-01-24", "week": "2018-01-29", "month": "2018-02-01"}[precision]
    clock.move_to(START + timedelta(hours=20))
    feed_in(record("now", occurred_at=f"{day}T12:00:00Z", precision=precision))
    assert (versions_stored(database), refusals(database)) == (1, [])
    feed_in(record("later", occurred_at=f"{later}T12:00:00Z", precision=precision))
    assert [code for code, _ in refusals(database)] == ["future"]


def test_waiting_in_vain_for_a_connection_is_not_the_records_fault(
    database: SqlDatabase, feed_in: FeedIn, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, busy = database.write, iter([NoConnectionError()])

    def busy_once() -> AbstractContextManager[Connection]:
        for error in busy:
            raise error
        return write()

    monkeypatch.setattr(database, "write", busy_once)
    with pytest.raises(NoConnectionError):
        feed_in(record(), at=1)
    feed_in(record(), at=1)
    assert (versions_stored(database), refusals(database)) == (1, [])


def test_the_same_record_quarantined_by_two_processes_at_once_is_kept_once(
    database: SqlDatabase, clock: VirtualClock
) -> None:
    item = QuarantineItem(
        "record 1", "invalid", "No.", "{}", True, Feed.DRUG_CHECKING, KENT, "test", START, Delivery.LIVE
    )
    together = threading.Barrier(4)

    def put() -> None:
        together.wait()
        with database.write() as connection:
            put_into_quarantine(connection, [item], clock.now())

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(put) for _ in range(4)]:
            done.result()
    assert len(refusals(database)) == 1


def test_two_records_that_differ_only_in_what_was_redacted_are_both_kept_and_a_repeat_is_not(
    database: SqlDatabase, clock: VirtualClock
) -> None:
    def item(place: str) -> QuarantineItem:
        return QuarantineItem(
            place=place,
            reason_code="identifier",
            reason="The record seems to hold an NHS number in event_id.",
            body='{"event_id": "[redacted: NHS number]"}',
            body_complete=False,
            feed=Feed.AMBULANCE_NALOXONE,
            jurisdiction=KENT,
            origin="test",
            received_at=clock.now(),
            delivery=Delivery.LIVE,
        )

    with database.write() as connection:
        assert put(connection, [item("record 1"), item("record 2")], clock.now()) == 2
        assert put(connection, [item("record 1"), item("record 2")], clock.now()) == 0
