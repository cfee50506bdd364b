"""Bad input against the running service: each gets one clear sentence, nothing is lost, and the service goes on.

What could identify somebody is looked for afterwards in every byte that was answered, stored or logged.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Row, func, select

from schemas.tables.events import event_version, quarantine
from schemas.vocabulary import Feed
from tests.acceptance.real_service import COORDINATOR, Service

pytestmark = pytest.mark.real

_numbers = count(1)


def record(**changes: object) -> dict[str, Any]:
    """A naloxone administration like any other; a change of ``None`` leaves the field out."""
    content: dict[str, Any] = {
        "event_id": f"fine-{next(_numbers)}",
        "source": {"organisation": "secamb"},
        "occurred_at": (datetime.now(UTC) - timedelta(hours=30)).isoformat(),
        "areas": {"event": "E07000110"},
        "doses": [{"given_by": "ambulance"}],
    }
    return {name: value for name, value in (content | changes).items() if value is not None}


def lines(*records: object) -> str:
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in records)


def is_a_sentence(words: str) -> bool:
    """One or two sentences for a person, on one line, without the insides of any library."""
    return (
        words.endswith(".")
        and "\n" not in words
        and len(words) < 400
        and not any(inside in words for inside in ("Traceback", "pydantic", "Error", "sqlalchemy", "{", "<"))
    )


def kept(service: Service) -> tuple[int, list[Row[Any]]]:
    """How many event versions and which quarantined records there are, once everything is taken in."""
    service.wait_until_taken_in()
    database = service.database()
    with database.read() as connection:
        stored = connection.execute(select(func.count()).select_from(event_version)).scalar_one()
        waiting = connection.execute(select(quarantine).order_by(quarantine.c.id)).all()
    database.close()
    return int(stored), list(waiting)


class Change:
    """What a delivery added: how many event versions, and which quarantined records."""

    stored = 0
    quarantined: list[Row[Any]]

    @property
    def only(self) -> Row[Any]:
        (row,) = self.quarantined
        return row


@contextmanager
def watched(service: Service) -> Iterator[Change]:
    """Compare before and after; and whatever came in between, the service takes the next record as ever."""
    before, waited = kept(service)
    change = Change()
    yield change
    after, waiting = kept(service)
    change.stored, change.quarantined = after - before, waiting[len(waited) :]
    assert service.send(lines(record())).json() == {"accepted": 1, "quarantined": 0, "problems": []}
    assert kept(service)[0] == after + 1, "the service did not go on"


MALFORMED = {
    "cut off": '{"event_id": "x", "source": ',
    "not an object": '"just a text"',
    "a field twice": '{"event_id": "x", "event_id": "y"}',
    "not a number": '{"event_id": NaN}',
    "nested without end": "[" * 5000,
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_record_that_is_no_json_is_quarantined_and_its_neighbours_are_stored(
    running: Service, kind: str
) -> None:
    with watched(running) as change:
        answer = running.send(lines(record(), MALFORMED[kind], record()))
        assert answer.status_code == 202
        said = answer.json()
        assert (said["accepted"], said["quarantined"]) == (2, 1)
        (problem,) = said["problems"]
        assert problem["place"] == "line 2"
        assert is_a_sentence(problem["reason"]), problem
    assert change.stored == 2
    assert (change.only.place, change.only.reason) == ("line 2", problem["reason"])


def test_a_body_that_is_no_json_at_all_is_one_quarantined_record(running: Service) -> None:
    with watched(running) as change:
        said = running.send("this is no JSON", **{"Content-Type": "application/json"}).json()
        assert (said["accepted"], said["quarantined"]) == (0, 1)
    assert is_a_sentence(change.only.reason)


INVALID: dict[str, tuple[dict[str, object], str, tuple[str, ...]]] = {
    "a number for a time": ({"occurred_at": ["soon"]}, "invalid", ("occurred_at",)),
    "a time without a zone": (
        {"occurred_at": "2018-01-22T14:00:00"},
        "invalid",
        ("occurred_at", "time zone"),
    ),
    "words for a list": ({"doses": "two"}, "invalid", ("doses",)),
    "a list for a source": ({"source": ["secamb"]}, "invalid", ("source",)),
    "a dose of what": ({"doses": [{"given_by": "a-passing-stranger"}]}, "invalid", ("doses.1.given_by",)),
    "no identifier": ({"event_id": None}, "invalid", ("event_id", "missing")),
    "an unknown field": ({"remarks": "seen before"}, "invalid", ("an unnamed field",)),
    "another feed's field": ({"toxicology": "pending"}, "invalid", ("toxicology",)),
    "a future date": (
        {"occurred_at": (datetime.now(UTC) + timedelta(days=2)).isoformat()},
        "future",
        ("occurred_at", "future"),
    ),
    "an area that does not exist": (
        {"areas": {"event": "E07999999"}},
        "unknown_area",
        ("areas.event", "Kent"),
    ),
    "a residence that does not exist": (
        {"areas": {"event": "E07000110", "residence": "S12000033"}},
        "unknown_area",
        ("areas.residence",),
    ),
    "a feed that does not exist": ({"feed": "weather"}, "wrong_feed", ("feed", "ambulance-naloxone")),
    "another feed": ({"feed": "drug-checking"}, "wrong_feed", ("feed", "ambulance-naloxone")),
    "another jurisdiction": ({"jurisdiction": "elsewhere"}, "wrong_jurisdiction", ("jurisdiction",)),
}


@pytest.mark.parametrize("kind", INVALID)
def test_a_record_that_says_something_impossible_is_quarantined_with_what_and_where(
    running: Service, kind: str
) -> None:
    changes, code, words = INVALID[kind]
    with watched(running) as change:
        assert running.send(lines(record(**changes), record())).status_code == 202
    assert change.stored == 1, "its neighbour was lost"
    assert change.only.reason_code == code
    assert is_a_sentence(change.only.reason), change.only.reason
    for word in words:
        assert word in change.only.reason
    for value in ("a-passing-stranger", "seen before", "S12000033", "E07999999", "weather"):
        assert value not in change.only.reason, "the sentence repeats what was sent"


def test_the_same_identifier_and_version_with_other_content_is_quarantined_and_the_first_stands(
    running: Service,
) -> None:
    first = record(event_id="numbered-1", version=1)
    with watched(running) as change:
        running.send(lines(first))
        running.send(lines(first))
        running.send(lines(first | {"areas": {"event": "E07000114"}}))
    assert change.stored == 1, "a repeat was stored, or the first was replaced"
    assert change.only.reason_code == "version_conflict"
    assert is_a_sentence(change.only.reason)
    database = running.database()
    with database.read() as connection:
        body = event_version.c.body
        (stored,) = [
            row for row in connection.execute(select(body)).scalars() if row["event_id"] == "numbered-1"
        ]
    database.close()
    assert stored["areas"]["event"] == "E07000110"
    with watched(running) as change:
        running.send(lines(first | {"version": 2, "areas": {"event": "E07000114"}}))
    assert (change.stored, change.quarantined) == (1, []), "the next number is the next version"


REFUSED: dict[str, tuple[str, dict[str, str], int, tuple[str, ...]]] = {
    "a feed that does not exist": ("weather", {}, 404, ("no such feed", "drug-checking")),
    "the key of another feed": ("suspected-deaths", {"Authorization": "naloxone"}, 403, ("another feed",)),
    "a wrong key": (
        "ambulance-naloxone",
        {"Authorization": f"Bearer tocsin_{'0' * 12}_{'x' * 43}"},
        401,
        ("key",),
    ),
    "no key": ("ambulance-naloxone", {"Authorization": ""}, 401, ("key",)),
    "something that is no key": ("ambulance-naloxone", {"Authorization": "Bearer let-me-in"}, 401, ("key",)),
    "a type that is not JSON": (
        "ambulance-naloxone",
        {"Content-Type": "text/csv"},
        415,
        ("application/json",),
    ),
    "a delivery of another kind": (
        "ambulance-naloxone",
        {"Tocsin-Delivery": "soon"},
        422,
        ("live or backfill",),
    ),
    "a backfill that the key may not send": (
        "ambulance-naloxone",
        {"Tocsin-Delivery": "backfill"},
        403,
        ("may not",),
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_delivery_that_may_not_come_in_is_refused_whole_in_one_sentence(
    running: Service, kind: str
) -> None:
    feed, headers, status, words = REFUSED[kind]
    if headers.get("Authorization") == "naloxone":
        headers = {"Authorization": f"Bearer {running.api_key}"}
    with watched(running) as change:
        answer = running.send(lines(record()), feed, **headers)
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]
        assert is_a_sentence(answer.json()["error"]), answer.text
        assert all(word in answer.json()["error"] for word in words), answer.text
    assert (change.stored, change.quarantined) == (0, [])


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "arriving in chunks"])
def test_a_body_of_more_than_ten_megabytes_is_refused_while_it_arrives(
    running: Service, declared: bool
) -> None:
    line = json.dumps(record()).encode() + b"\n"
    body = line * (11_000_000 // len(line))
    chunks = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    headers = {"Authorization": f"Bearer {running.api_key}", "Content-Type": "application/x-ndjson"}
    address = f"{running.url}/api/v1/feeds/{Feed.AMBULANCE_NALOXONE}/events"
    with watched(running) as change:
        answer = httpx.post(address, content=body if declared else chunks, headers=headers, timeout=120)
        assert answer.status_code == 413
        assert is_a_sentence(answer.json()["error"])
    assert (change.stored, change.quarantined) == (0, [])


def nhs_number(seed: int) -> str:
    """A number with a valid check digit, never issued: a different one for each seed."""
    while True:
        digits = f"{990_000_000 + seed * 7919 % 9_999_999:09d}"
        check = (
            11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True))
        ) % 11
        if check != 10:
            return f"{digits}{0 if check == 11 else check}"
        seed += 1_000_003


def spaced(number: str) -> str:
    return f"{number[:3]} {number[3:6]} {number[6:]}"


NHS = [nhs_number(n) for n in range(1, 10)]
IDENTIFYING: dict[str, tuple[object, tuple[str, ...]]] = {
    # where it stands: (the record, what must be found nowhere afterwards)
    "an NHS number as the identifier": (record(event_id=NHS[0]), (NHS[0],)),
    "an NHS number inside the identifier": (record(event_id=f"call/{NHS[1]}/a"), (NHS[1],)),
    "an NHS number with spaces as a substance": (
        record(suspected=[spaced(NHS[2])]),
        (NHS[2], spaced(NHS[2])),
    ),
    "an NHS number as a number": (record(patient={"number": int(NHS[3])}), (NHS[3],)),
    "an NHS number deep in an unknown field": (record(extra={"a": [{"b": [{"c": NHS[4]}]}]}), (NHS[4],)),
    "an NHS number as a key": (record(extra={NHS[5]: True}), (NHS[5],)),
    "an NHS number as a key at the top": (record() | {spaced(NHS[6]): 1}, (NHS[6], spaced(NHS[6]))),
    "a postcode as the site": (record(source={"organisation": "secamb", "site": "ct9-5jq"}), ("ct9-5jq",)),
    "a postcode in an unknown field": (
        record(address={"lines": ["3 Nowhere Row", "ME7 4ZW"]}),
        ("ME7 4ZW", "Nowhere Row"),
    ),
    "a postcode without a space, as a key": (record(seen={"TN231QZ": 1}), ("TN231QZ",)),
    "a postcode as the area": (record(areas={"event": "DA1 9QQ"}), ("DA1 9QQ",)),
    "a name in a field that says so": (
        record(patient_name="Zebedee Quillfeather"),
        ("Zebedee", "Quillfeather"),
    ),
    "a name as a field nobody knows": (record(Quibbleworth=True), ("Quibbleworth",)),
    "a date of birth": (record(dob="1961-04-09"), ("1961-04-09",)),
    "a telephone number": (record(extra="07700 900417"), ("07700 900417", "900417")),
    "an e-mail address": (record(extra={"contact": "zq@nowhere.example"}), ("zq@nowhere",)),
    "an NHS number in broken JSON": ('{"event_id": "' + NHS[7] + '", ', (NHS[7],)),
    "an NHS number in a record of another feed": (record(feed="weather", event_id=NHS[8]), (NHS[8],)),
}


@pytest.mark.parametrize("kind", IDENTIFYING)
def test_what_could_identify_somebody_is_redacted_and_stands_nowhere(running: Service, kind: str) -> None:
    content, values = IDENTIFYING[kind]
    running.identifying |= set(values)
    with watched(running) as change:
        answer = running.send(lines(content, record()))
        assert answer.status_code == 202
    assert change.stored == 1, "its neighbour was lost"
    assert is_a_sentence(change.only.reason), change.only.reason
    shown = json.dumps(dict(change.only._mapping), default=str)
    stored = running.stored_bytes()
    assert b"secamb" in stored, "nothing was looked through"
    for value in values:
        places = {"the answer": answer.text, "quarantine": shown, "the log": running.log_text()}
        for where, text in places.items():
            assert value.casefold() not in text.casefold(), f"{where} holds it"
        for encoded in (value, value.casefold(), value.upper()):
            assert encoded.encode() not in stored, "the database's file holds it"


def test_the_operator_sees_what_is_wrong_without_the_value_and_can_release_it_mended(
    running: Service,
) -> None:
    number = nhs_number(55)
    running.identifying.add(number)
    with watched(running) as change:
        running.send(lines(record(event_id=number, nhs_number=number)))
    listed = running.cli("quarantine", "list", "--limit", 1000)
    shown = running.cli("quarantine", "show", change.only.id)
    assert change.only.reason in listed.stdout
    assert "[redacted: NHS number]" in shown.stdout
    assert number not in listed.stdout + shown.stdout
    release = ("quarantine", "release", change.only.id, "--as", COORDINATOR.id)
    still = running.cli(*release)
    assert still.returncode == 1
    assert len(still.stderr.strip().splitlines()) == 1, still.stderr
    before = kept(running)[0]
    done = running.cli(*release, "--set", "event_id=a-reference-of-our-own")
    assert done.returncode == 0, done.stderr
    assert kept(running)[0] == before + 1


MAPPING = """\
name = "partner"
feed = "ambulance-naloxone"
jurisdiction = "kent-and-medway"
[source]
organisation = "partner"
[event_id]
column = "Ref"
[occurred_at]
columns = ["When"]
formats = ["%Y-%m-%d"]
[areas.event]
by = "code"
columns = ["Area"]
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


def test_a_file_that_lacks_a_column_that_the_mapping_names_is_refused_before_any_row(
    running: Service, mapping: Path, tmp_path: Path
) -> None:
    file = tmp_path / "lacking.csv"
    file.write_text("Ref,Date,Area\nA1,2018-01-22,E07000114\n", encoding="utf-8")
    with watched(running) as change:
        done = running.cli("load", file, "--mapping", mapping)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "has no column 'When'" in done.stderr
        assert is_a_sentence(done.stderr.strip()), done.stderr
    assert (change.stored, change.quarantined) == (0, [])


def test_an_nhs_number_in_a_file_goes_no_further_than_the_file(
    running: Service, mapping: Path, tmp_path: Path
) -> None:
    number = nhs_number(77)
    running.identifying.add(number)
    file = tmp_path / "patients.csv"
    file.write_text(
        f"Ref,When,Area,Name\nB1,2018-01-22,E07000114,Zebedee\n{number},2018-01-22,E07000114,Zebedee\n",
        encoding="utf-8",
    )
    with watched(running) as change:
        done = running.cli("load", file, "--mapping", mapping, "--backfill")
        assert done.returncode == 0, done.stderr
        assert "1 in quarantine" in done.stdout
    assert change.stored == 1
    assert change.only.place.startswith("row 3 ")
    assert number.encode() not in running.stored_bytes()
    assert b"Zebedee" not in running.stored_bytes(), "a column that the mapping does not name was kept"


SETTINGS = {
    "none": (None, "There is no settings file"),
    "not TOML": ("[alerts\nsecret = 'hunter2-hunter2'", "is not valid TOML"),
    "not text": (b"\xff\xfe\x00[", "cannot be read"),
    "a key that nobody knows": ("colour = 'hunter2-hunter2'", "colour: is not a setting that Tocsin knows"),
    "a secret that is too short": (
        "[alerts.links]\nbase_url = 'http://localhost'\nsecret = 'hunter2-hunter2'",
        "at least 32 characters",
    ),
}


@pytest.mark.parametrize(
    ("command", "kind"), [*(("run", kind) for kind in SETTINGS), ("check-config", "not TOML")]
)
def test_settings_that_cannot_be_used_are_refused_in_one_line_that_repeats_no_secret(
    running: Service, command: str, kind: str, tmp_path: Path
) -> None:
    content, words = SETTINGS[kind]
    path = tmp_path / "other.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = running.cli("--config", path, command)
    assert done.returncode == 2
    assert words in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_second_service_on_the_same_database_is_refused_and_the_first_goes_on(running: Service) -> None:
    with watched(running):
        done = running.cli("run")
        assert done.returncode == 1
        assert "Another Tocsin service runs on" in done.stderr
