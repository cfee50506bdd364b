"""What a connector logs is screened and stamped; what it does not log is in quarantine, redacted."""

import json
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import EVENT
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams.connectors.records import Accepted, DecodedRecord, accept, decode_batch

NOW = datetime(2024, 3, 7, 23, 30, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "event_id": "A-1",
    "source": {"organisation": "secamb"},
    "occurred_at": "2024-03-07T23:15:00Z",
    "areas": {"event": "E01024123"},
}


def accepted(
    *records: dict[str, Any], delivery: Delivery = Delivery.LIVE, area_codes: Container[str] = ()
) -> Accepted:
    decoded = [DecodedRecord(f"record {n}", record) for n, record in enumerate(records, 1)]
    return accept(
        decoded,
        feed=Feed.AMBULANCE_NALOXONE,
        jurisdiction=Jurisdiction("kent-and-medway"),
        origin="key:secamb",
        received_at=NOW,
        delivery=delivery,
        area_codes=area_codes,
    )


def test_a_record_is_logged_with_the_feed_and_jurisdiction_of_the_key_and_the_time_it_came() -> None:
    (record,) = accepted(
        RECORD | {"received_at": "1999-01-01T00:00:00Z"}, delivery=Delivery.BACKFILL
    ).log_records
    event = EVENT.validate_json(record.body)
    assert (event.feed, event.jurisdiction) == (Feed.AMBULANCE_NALOXONE, "kent-and-medway")
    assert event.received_at == record.received_at == NOW
    assert (record.delivery, record.origin) == (Delivery.BACKFILL, "key:secamb")


def test_a_record_for_another_feed_or_jurisdiction_is_quarantined_whole_with_what_to_do() -> None:
    result = accepted(RECORD | {"feed": "drug-checking"}, RECORD | {"jurisdiction": "sussex"})
    assert not result.log_records
    assert [item.reason_code for item in result.quarantined] == ["wrong_feed", "wrong_jurisdiction"]
    assert all(item.body_complete and item.body is not None for item in result.quarantined)
    assert "ambulance-naloxone" in result.quarantined[0].reason
    assert "drug-checking" not in result.quarantined[0].reason


def test_a_record_with_an_identifier_is_quarantined_redacted_and_its_bytes_are_nowhere() -> None:
    result = accepted(RECORD | {"event_id": "943 476 5919", "remarks": "CT9 4AB"})
    (item,) = result.quarantined
    assert not result.log_records
    assert item.reason_code == "identifier"
    assert item.body is not None
    assert not item.body_complete
    assert json.loads(item.body)["event_id"] == "[redacted: NHS number]"
    assert "9434765919" not in repr(result).replace(" ", "")
    assert "CT9" not in repr(result)


def test_a_wrong_feed_does_not_save_an_identifier_from_redaction() -> None:
    (item,) = accepted(RECORD | {"feed": "drug-checking", "event_id": "9434765919"}).quarantined
    assert "9434765919" not in repr(item)


def test_a_field_that_no_message_has_is_not_kept_in_quarantine() -> None:
    (item,) = accepted(RECORD | {"feed": "drug-checking", "remarks": "Mrs Jones"}).quarantined
    assert "Jones" not in repr(item)
    assert not item.body_complete


def test_a_malformed_record_is_quarantined_by_its_place() -> None:
    (item,) = accept(
        decode_batch(b"{oops}"),
        feed=Feed.DRUG_CHECKING,
        jurisdiction=Jurisdiction("kent-and-medway"),
        origin="key:loop",
        received_at=NOW,
    ).quarantined
    assert (item.place, item.reason_code, item.body) == ("the body", "malformed", None)


def test_codes_of_the_geography_pass_as_areas() -> None:
    record = RECORD | {"areas": {"event": "0901337910"}}
    assert accepted(record).quarantined
    assert accepted(record, area_codes={"0901337910"}).log_records


@given(
    st.lists(
        st.dictionaries(st.text(max_size=6), st.text(max_size=12) | st.integers() | st.none(), max_size=4),
        max_size=6,
    )
)
def test_every_record_is_in_exactly_one_of_log_and_quarantine(records: list[dict[str, Any]]) -> None:
    result = accepted(*records)
    assert len(result.log_records) + len(result.quarantined) == len(records)
    for item in result.log_records:
        json.loads(item.body)
