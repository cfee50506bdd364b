"""The ingest API: every answer is one clear sentence, nothing is lost, nothing that was sent comes back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from schemas.authorise import Role
from schemas.tables.events import quarantine
from schemas.tables.log import event_log
from schemas.tables.web import api_key
from schemas.vocabulary import Delivery, Feed
from streams.log.port import LogRecord
from tests.unit.web.house import KENT, House, make_house
from tocsin.database import SqlDatabase
from tocsin.web.api_keys import UnknownKey, create_api_key, list_api_keys, revoke_api_key
from tocsin.web.security import LARGEST_INGEST

NALOXONE = "/api/v1/feeds/ambulance-naloxone/events"
NHS_NUMBER = "943 476 5919"


@dataclass
class Partner:
    """A sender with a key."""

    house: House
    key: str

    def send(
        self, body: object, *, path: str = NALOXONE, kind: str = "application/json", **headers: str
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": kind} | headers
        return self.house.client().post(path, content=content, headers=sent)


def new_key(house: House, **changes: object) -> str:
    allowed: dict[str, Any] = {
        "jurisdiction": KENT,
        "feed": Feed.AMBULANCE_NALOXONE,
        "organisation": None,
        "may_backfill": False,
        "by": "shell",
        "now": house.clock.now(),
    }
    with house.database.write() as connection:
        return create_api_key(connection, **(allowed | changes))[1]


@pytest.fixture
def partner(house: House) -> Partner:
    return Partner(house, new_key(house))


def record(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "event_id": f"call-{number}",
        "source": {"organisation": "secamb"},
        "occurred_at": "2018-01-29T01:00:00Z",
        "areas": {"event": "E07000114"},
    } | changes


def logged(house: House) -> Sequence[Any]:
    with house.database.read() as connection:
        return connection.execute(select(event_log).order_by(event_log.c.position)).all()


def quarantined(house: House) -> Sequence[Any]:
    with house.database.read() as connection:
        return connection.execute(select(quarantine).order_by(quarantine.c.id)).all()


def test_one_record_is_in_the_log_when_the_sender_is_told(partner: Partner) -> None:
    answer = partner.send(record())
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "quarantined": 0, "problems": []})
    (row,) = logged(partner.house)
    assert (row.feed, row.jurisdiction, row.delivery) == ("ambulance-naloxone", KENT, "live")
    assert json.loads(row.body)["event_id"] == "call-1"
    assert row.origin.startswith("key:")
    assert row.received_at == partner.house.clock.now()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([record(1), record(2), record(3)]).encode(), "application/json; charset=utf-8"),
        ("\n".join(json.dumps(record(n)) for n in (1, 2, 3)).encode(), "application/x-ndjson"),
    ],
)
def test_a_batch_keeps_its_order(partner: Partner, body: bytes, kind: str) -> None:
    assert partner.send(body, kind=kind).json()["accepted"] == 3
    assert [json.loads(row.body)["event_id"] for row in logged(partner.house)] == [
        "call-1",
        "call-2",
        "call-3",
    ]


def test_a_bad_line_is_quarantined_by_its_place_and_the_others_are_taken(partner: Partner) -> None:
    lines = [json.dumps(record(1)), '{"event_id": "Jane Doe', json.dumps(record(3))]
    answer = partner.send("\n".join(lines).encode(), kind="application/x-ndjson")
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], said["quarantined"]) == (2, 1)
    assert said["problems"][0]["place"] == "line 2"
    assert "Jane" not in answer.text
    assert len(quarantined(partner.house)) == 1


def test_an_nhs_number_is_redacted_before_anything_is_stored_or_said(partner: Partner) -> None:
    answer = partner.send([record(1, note=NHS_NUMBER), record(2)])
    assert (answer.json()["accepted"], answer.json()["quarantined"]) == (1, 1)
    kept = " ".join(str(row) for row in [*logged(partner.house), *quarantined(partner.house)])
    for spelling in (NHS_NUMBER, NHS_NUMBER.replace(" ", "")):
        assert spelling not in kept
        assert spelling not in answer.text


def test_the_same_delivery_again_adds_nothing_to_quarantine(partner: Partner) -> None:
    body = [record(1, note=NHS_NUMBER), record(2)]
    assert partner.send(body).json() == partner.send(body).json()
    assert len(quarantined(partner.house)) == 1


def test_quarantined_records_are_counted_by_reason(partner: Partner) -> None:
    partner.send([record(1, note=NHS_NUMBER)])
    exposed = partner.house.services.metrics.exposition().decode()
    wanted = 'tocsin_records_quarantined_total{feed="ambulance-naloxone",reason="identifier"} 1.0'
    assert wanted in exposed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic dG9jc2luOng="},
        {"Authorization": "Bearer tocsin_000000000000_" + "x" * 43},
    ],
)
def test_without_a_valid_key_nothing_is_taken(house: House, headers: dict[str, str]) -> None:
    answer = house.client().post(NALOXONE, json=record(), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"].endswith(".")
    assert logged(house) == []


def test_a_key_with_one_character_changed_opens_nothing(partner: Partner) -> None:
    last = "A" if partner.key[-1] != "A" else "B"
    partner.key = partner.key[:-1] + last
    assert partner.send(record()).status_code == 401


def test_a_revoked_key_opens_nothing(partner: Partner) -> None:
    number = partner.key.split("_")[1]
    with partner.house.database.write() as connection:
        revoke_api_key(connection, number, by="shell", now=partner.house.clock.now())
    assert partner.send(record()).status_code == 401
    with partner.house.database.write() as connection, pytest.raises(UnknownKey):
        revoke_api_key(connection, number, by="shell", now=partner.house.clock.now())


def test_the_database_holds_no_key(partner: Partner) -> None:
    with partner.house.database.read() as connection:
        rows = str(connection.execute(select(api_key)).all())
        listed = list_api_keys(connection)
    assert partner.key.split("_")[2] not in rows
    assert "hash" not in listed[0]._mapping


def test_a_key_of_another_feed_is_refused(partner: Partner) -> None:
    answer = partner.send(record(), path="/api/v1/feeds/drug-checking/events")
    assert answer.status_code == 403
    assert "ambulance-naloxone" in answer.json()["error"]


def test_a_feed_that_does_not_exist_is_not_echoed(partner: Partner) -> None:
    answer = partner.send(record(), path="/api/v1/feeds/jane-doe/events")
    assert answer.status_code == 404
    assert "jane" not in answer.text
    assert "drug-checking" in answer.json()["error"]


def test_a_key_of_one_organisation_does_not_speak_for_another(house: House) -> None:
    partner = Partner(house, new_key(house, organisation="secamb"))
    other = record(2, source={"organisation": "somebody-else"})
    answer = partner.send([record(1), other]).json()
    assert (answer["accepted"], answer["quarantined"]) == (1, 1)
    assert answer["problems"][0]["code"] == "wrong_organisation"


def test_a_record_of_another_jurisdiction_or_feed_goes_to_quarantine(partner: Partner) -> None:
    answer = partner.send([record(1, jurisdiction="elsewhere"), record(2, feed="drug-checking")]).json()
    assert [problem["code"] for problem in answer["problems"]] == ["wrong_jurisdiction", "wrong_feed"]


@pytest.mark.parametrize(
    ("said", "may", "status", "delivery"),
    [
        ("backfill", True, 202, Delivery.BACKFILL),
        ("live", False, 202, Delivery.LIVE),
        ("backfill", False, 403, None),
        ("sometimes", True, 422, None),
    ],
)
def test_only_a_key_that_may_can_mark_a_backfill(
    house: House, said: str, may: bool, status: int, delivery: Delivery | None
) -> None:
    partner = Partner(house, new_key(house, may_backfill=may))
    answer = partner.send(record(), **{"Tocsin-Delivery": said})
    assert answer.status_code == status
    assert [row.delivery for row in logged(house)] == ([delivery.value] if delivery else [])


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"a,b\n1,2\n", "text/csv", 415),
        (b"{}", "", 415),
        (b"\xff\xfe{}", "application/json", 422),
    ],
)
def test_a_body_that_is_no_delivery_is_refused_in_one_sentence(
    partner: Partner, body: bytes, kind: str, status: int
) -> None:
    answer = partner.send(body, kind=kind)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].endswith(".")


def test_ten_megabytes_are_refused_before_they_are_read(partner: Partner) -> None:
    answer = partner.send(b" " * (LARGEST_INGEST + 1))
    assert answer.status_code == 413
    assert "10 MB" in answer.json()["error"]
    assert logged(partner.house) == []


def test_ten_megabytes_of_unknown_length_are_refused_while_they_arrive(partner: Partner) -> None:
    import asyncio

    taken = 0

    async def receive() -> dict[str, object]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    sent: list[Mapping[str, object]] = []

    async def send(message: Mapping[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": NALOXONE,
        "raw_path": NALOXONE.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {partner.key}".encode()),
            (b"content-type", b"application/x-ndjson"),
        ],
        "client": ("203.0.113.7", 1),
        "server": ("tocsin.test", 80),
    }
    asyncio.run(partner.house.app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert taken <= 11


def test_when_the_log_cannot_store_the_sender_is_not_told_that_it_did(database: SqlDatabase) -> None:
    class Full:
        def append(self, records: Sequence[LogRecord]) -> None:
            raise OSError(28, "No space left on device")

        def run(self, handle: object, stop: object) -> None: ...

    house = make_house(database, event_log=Full())
    answer = Partner(house, new_key(house)).send(record())
    assert answer.status_code == 500
    assert "Try again" in answer.text


def test_intake_counts_what_was_sent(partner: Partner) -> None:
    """The stamp that ingest gives is the one that intake expects."""
    from schemas.substances import default_taxonomy
    from streams.decoding import decode
    from streams.log.port import Positioned

    partner.send(record())
    seen: list[Positioned] = []
    partner.house.log.drain(seen.extend)
    decoded = decode(seen[0], partner.house.services.profiles, default_taxonomy())
    assert (decoded.detection_area, decoded.jurisdiction) == ("E07000114", KENT)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_sent_is_answered_and_accounted_for(partner: Partner, body: bytes) -> None:
    before = len(logged(partner.house))
    answer = partner.send(body)
    assert answer.status_code in (202, 422)
    said = answer.json()
    with partner.house.database.read() as connection:
        after = connection.execute(select(func.count()).select_from(event_log)).scalar_one()
    assert after - before == (said["accepted"] if answer.status_code == 202 else 0)


def test_made_up_validation_errors_never_quote_the_request(house: House) -> None:
    secret = "jane-doe-1980"
    client = house.signed_in("coordinator", Role.COORDINATOR)
    for answer in (
        client.get("/api/v1/incidents", params={"skip": secret}),
        client.get(f"/quarantine/{secret}"),
        client.get("/incidents", params={"skip": secret}),
        client.post(f"/api/v1/feeds/{secret}/events"),
        client.get(f"/{secret}"),
    ):
        assert secret not in answer.text
        assert 400 <= answer.status_code < 500
