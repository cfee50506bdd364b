"""The feeds page says what arrives and what does not; the quarantine pages let a person decide."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import insert, select

from alerts.audit import entries
from schemas.authorise import Role
from schemas.tables.events import feed_source
from schemas.tables.log import event_log
from schemas.vocabulary import Delivery, Feed, Jurisdiction
from streams import quarantine
from streams.quarantine import QuarantineItem
from tests.unit.web.house import ELSEWHERE, KENT, House, form_token

Later = Callable[[timedelta], None]
VALID = {
    "feed": "ambulance-naloxone",
    "jurisdiction": "kent-and-medway",
    "event_id": "call-1",
    "source": {"organisation": "secamb"},
    "occurred_at": "2018-01-29T01:00:00Z",
    "areas": {"event": "E07000999"},
}


def hear(house: House, feed: Feed, *, ago: timedelta) -> None:
    """Let a source of a feed have spoken so long ago."""
    moment = house.clock.now() - ago
    with house.database.write() as connection:
        connection.execute(
            insert(feed_source).values(
                jurisdiction=KENT,
                feed=feed.value,
                organisation="secamb",
                site="thanet",
                first_received_at=moment,
                last_received_at=moment,
                last_occurred_at=moment,
                accepted=1234,
                duplicates=2,
                redelivered=0,
            )
        )


def set_aside(
    house: House, content: Mapping[str, object] | None = None, *, place: Jurisdiction | None = KENT
) -> int:
    """Put a record into quarantine; return its number."""
    body = json.dumps(VALID if content is None else content)
    item = QuarantineItem(
        place="line 7",
        reason_code="unknown_area",
        reason="areas.event is not an area code of the geography loaded for Kent and Medway.",
        body=body,
        body_complete=True,
        feed=Feed.AMBULANCE_NALOXONE,
        jurisdiction=place,
        origin="key:abc",
        received_at=house.clock.now(),
        delivery=Delivery.LIVE,
    )
    with house.database.write() as connection:
        quarantine.put(connection, [item], house.clock.now())
        return int(quarantine.waiting(connection)[-1].id)


def decide(client: httpx.Client, number: int, what: str, **fields: str) -> httpx.Response:
    token = form_token(client.get(f"/quarantine/{number}").text)
    return client.post(f"/quarantine/{number}/{what}", data={"form_token": token} | fields)


def state_of(house: House, number: int) -> str:
    with house.database.read() as connection:
        return str(quarantine.get(connection, number).state)


# Feeds


def test_a_feed_that_never_spoke_says_so(house: House) -> None:
    page = house.signed_in("officer", Role.ON_CALL).get("/feeds").text
    assert page.count("No record was ever received.") == len(Feed)
    assert "calm" not in page.lower()


def test_a_silent_feed_says_for_how_long_and_that_silence_proves_nothing(house: House) -> None:
    hear(house, Feed.AMBULANCE_NALOXONE, ago=timedelta(days=5, hours=3))
    page = house.signed_in("officer", Role.ON_CALL).get("/feeds").text
    assert "No record for 5 days. A quiet time and a broken feed look the same from here." in page


def test_a_feed_that_speaks_shows_each_source_and_what_became_of_its_records(house: House) -> None:
    hear(house, Feed.AMBULANCE_NALOXONE, ago=timedelta(minutes=12))
    set_aside(house)
    page = house.signed_in("coordinator", Role.COORDINATOR).get("/feeds").text
    for words in (
        "Last record 12 minutes ago.",
        "secamb, thanet",
        "1,234",
        "1 quarantined in all",
        "1 waits for",
    ):
        assert words in page


# Quarantine


def test_a_coordinator_sees_why_a_record_waits(house: House) -> None:
    number = set_aside(house)
    client = house.signed_in("coordinator", Role.COORDINATOR)
    listed = client.get("/quarantine").text
    assert "areas.event is not an area code" in listed
    assert "line 7, key:abc" in listed
    assert "E07000999" in client.get(f"/quarantine/{number}").text


def test_a_corrected_record_goes_to_the_log_as_a_release(house: House) -> None:
    number = set_aside(house)
    client = house.signed_in("coordinator", Role.COORDINATOR)
    answer = decide(client, number, "release", field="areas.event", value="E07000114")
    assert answer.status_code == 303
    with house.database.read() as connection:
        (row,) = connection.execute(select(event_log)).all()
        (entry,) = (one for one in entries(connection, KENT) if one.action == "quarantine_released")
    assert (row.delivery, json.loads(row.body)["areas"]["event"]) == ("release", "E07000114")
    assert (entry.actor, entry.subject) == ("coordinator", str(number))
    assert state_of(house, number) == "released"
    assert "No record waits" in client.get("/quarantine").text


def test_a_record_that_is_still_wrong_stays_and_the_page_says_what_is_wrong(house: House) -> None:
    number = set_aside(house, VALID | {"occurred_at": "yesterday"})
    client = house.signed_in("coordinator", Role.COORDINATOR)
    answer = decide(client, number, "release")
    assert answer.status_code == 422
    assert "occurred_at must be a date and time with a time zone" in answer.text
    assert state_of(house, number) == "waiting"


@pytest.mark.parametrize("value", ["943 476 5919", "jane@example.org"])
def test_a_correction_is_screened_like_any_record(house: House, value: str) -> None:
    number = set_aside(house)
    client = house.signed_in("coordinator", Role.COORDINATOR)
    answer = decide(client, number, "release", field="appearance", value=value)
    assert answer.status_code == 422
    assert value not in answer.text
    with house.database.read() as connection:
        assert connection.execute(select(event_log)).all() == []


def test_a_record_cannot_be_released_into_another_jurisdiction(house: House) -> None:
    number = set_aside(house)
    client = house.signed_in("coordinator", Role.COORDINATOR)
    answer = decide(client, number, "release", field="jurisdiction", value="elsewhere")
    assert answer.status_code == 422
    assert state_of(house, number) == "waiting"


def test_discarding_wants_a_reason_and_keeps_it(house: House) -> None:
    number = set_aside(house)
    client = house.signed_in("operator", Role.OPERATOR)
    assert decide(client, number, "discard", note=" ").status_code == 422
    assert state_of(house, number) == "waiting"
    assert decide(client, number, "discard", note="A test record of theirs").status_code == 303
    page = client.get(f"/quarantine/{number}").text
    assert "A test record of theirs" in page
    assert "Discarded by operator" in page


def test_two_people_cannot_decide_about_one_record(house: House) -> None:
    number = set_aside(house)
    first = house.signed_in("first", Role.COORDINATOR)
    second = house.signed_in("second", Role.COORDINATOR)
    token = form_token(second.get(f"/quarantine/{number}").text)
    assert decide(first, number, "discard", note="no").status_code == 303
    answer = second.post(f"/quarantine/{number}/release", data={"form_token": token})
    assert answer.status_code == 409
    assert "not waiting any more" in answer.text


def test_an_epidemiologist_reads_quarantine_and_is_shown_no_form(house: House) -> None:
    number = set_aside(house)
    page = house.signed_in("epi", Role.EPIDEMIOLOGIST).get(f"/quarantine/{number}").text
    assert "/release" not in page
    assert "/discard" not in page


def test_a_record_of_no_known_jurisdiction_is_for_the_command_line_alone(house: House) -> None:
    number = set_aside(house, place=None)
    client = house.signed_in("coordinator", Role.COORDINATOR)
    assert client.get(f"/quarantine/{number}").status_code == 404
    assert "No record waits" in client.get("/quarantine").text


def test_the_list_shows_only_the_visitors_own_jurisdictions(house: House) -> None:
    set_aside(house)
    stranger = house.signed_in("stranger", Role.COORDINATOR, place=ELSEWHERE)
    assert "No record waits" in stranger.get("/quarantine").text


# Audit


def test_the_audit_page_shows_who_did_what_and_pages_back(house: House) -> None:
    house.incident()
    client = house.signed_in("coordinator", Role.COORDINATOR)
    page = client.get("/audit").text
    assert "Incident opened" in page
    assert "Role granted" in page
    first = client.get("/audit", params={"before": 2}).text
    assert first.count("<tr>") == 2


def test_the_audit_trail_of_another_jurisdiction_does_not_exist(house: House) -> None:
    client = house.signed_in("coordinator", Role.COORDINATOR)
    assert client.get("/audit", params={"jurisdiction": "elsewhere"}).status_code == 404
