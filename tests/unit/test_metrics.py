"""Metrics: every family is documented, every label value comes from a closed vocabulary."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from schemas.tables import metadata
from schemas.tables.events import feed_source
from schemas.tables.outbox import outbox
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams.intake import IntakeMetrics
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase
from tocsin.database_gauges import DatabaseGauges
from tocsin.metrics import (
    CHANNELS,
    DETECTORS,
    FAMILIES,
    METHODS,
    OTHER,
    REASONS,
    RESULTS,
    Metrics,
    reference_page,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2018, 1, 29, 2, 0, tzinfo=UTC)
KENT = Jurisdiction("kent-and-medway")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    made = SqlDatabase(f"sqlite:///{tmp_path / 'tocsin.db'}")
    metadata.create_all(made.engine)
    yield made
    made.close()


def exposed(metrics: Metrics) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_the_reference_page_is_what_the_code_exposes(database: SqlDatabase) -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert page == reference_page(), "write it anew: python -m tocsin.metrics > docs/reference/metrics.md"
    metrics = Metrics()
    metrics.registry.register(DatabaseGauges(database, VirtualClock(NOW), [KENT], lambda: 0))
    collected = {
        family.name if family.type != "counter" else f"{family.name}_total"
        for family in metrics.registry.collect()
    }
    assert collected == {family.name for family in FAMILIES}


def test_intake_can_be_given_the_metrics() -> None:
    metrics: IntakeMetrics = Metrics()
    metrics.accepted(Feed.DRUG_CHECKING, 3)
    assert isinstance(metrics, Metrics)
    key = (("feed", "drug-checking"),)
    assert exposed(metrics)["tocsin_records_accepted_total"][key] == 3


def test_a_feed_that_never_spoke_is_counted_as_nothing_and_not_left_out() -> None:
    assert len(exposed(Metrics())["tocsin_records_accepted_total"]) == len(Feed)


@given(text=st.text(max_size=40))
def test_no_text_from_outside_becomes_a_label(text: str) -> None:
    metrics = Metrics()
    metrics.quarantined(None, text, 1)
    metrics.repeated(Feed.DRUG_CHECKING, text, 1)
    metrics.signal(text, Tier.PAGE)
    metrics.sent(text, text)
    metrics.request(None, text, 200, 0.1)
    closed = {*REASONS, *DETECTORS, *CHANNELS, *RESULTS, *METHODS, *Feed, *Tier, OTHER}
    closed |= {"duplicate", "redelivered", "200", "(no route)"}
    numbers = re.compile(r"[0-9.]+|\+Inf")
    values = {
        value
        for name, samples in exposed(metrics).items()
        if name != "tocsin_build_info"
        for labels in samples
        for _, value in labels
    }
    assert {value for value in values if value not in closed and not numbers.fullmatch(value)} == set()


def test_every_reason_code_of_the_code_is_a_label_of_its_own() -> None:
    made = re.compile(r"\b(?:Refusal|Problem|_Flaw)\(\s*\"([a-z_]+)\"")
    wrong = re.compile(r"Problem\(f\"wrong_\{name\}\"")
    codes = set()
    for path in [*(ROOT / "streams").rglob("*.py"), *(ROOT / "tocsin").rglob("*.py")]:
        text = path.read_text()
        codes |= set(made.findall(text))
        if wrong.search(text):
            codes |= {"wrong_feed", "wrong_jurisdiction"}
    assert codes - REASONS == set()


def test_what_comes_from_the_database_is_read_again_after_a_while_and_not_before(
    database: SqlDatabase,
) -> None:
    clock = VirtualClock(NOW)
    backlog = [5]
    metrics = Metrics()
    metrics.registry.register(DatabaseGauges(database, clock, [KENT], lambda: backlog[0]))
    assert exposed(metrics)["tocsin_event_log_backlog"][()] == 5
    backlog[0] = 7
    clock.move_to(NOW + timedelta(seconds=14))
    assert exposed(metrics)["tocsin_event_log_backlog"][()] == 5
    clock.move_to(NOW + timedelta(seconds=15))
    assert exposed(metrics)["tocsin_event_log_backlog"][()] == 7


def test_a_feed_that_never_spoke_has_the_timestamp_nought_so_that_an_alarm_can_see_it(
    database: SqlDatabase,
) -> None:
    with database.write() as connection:
        connection.execute(
            insert(feed_source).values(
                jurisdiction=KENT,
                feed=Feed.DRUG_CHECKING.value,
                organisation="lab",
                site="",
                first_received_at=NOW,
                last_received_at=NOW,
                last_occurred_at=NOW,
                accepted=1,
                duplicates=0,
                redelivered=0,
            )
        )
    metrics = Metrics()
    metrics.registry.register(DatabaseGauges(database, VirtualClock(NOW), [KENT], lambda: 0))
    ages = exposed(metrics)["tocsin_last_record_timestamp_seconds"]
    assert {dict(labels)["feed"]: value for labels, value in ages.items()} == {
        feed.value: NOW.timestamp() if feed is Feed.DRUG_CHECKING else 0 for feed in Feed
    }


def test_the_oldest_message_that_may_go_out_says_how_long_it_waits(database: SqlDatabase) -> None:
    owed: dict[str, object] = {
        "jurisdiction": KENT,
        "incident_id": None,
        "kind": "page",
        "notice": 1,
        "recipient": "officer",
        "channel": "email",
        "body": {},
        "created_at": NOW - timedelta(hours=1),
        "state": "pending",
        "attempts": 0,
        "due_at": NOW,
    }
    with database.write() as connection:
        for number, wait in enumerate((90, -3600)):  # the second may only go out in an hour
            moment = NOW - timedelta(seconds=wait)
            connection.execute(
                insert(outbox).values(**owed, id=str(number), dedupe_key=str(number), not_before=moment)
            )
    metrics = Metrics()
    clock = VirtualClock(NOW)
    metrics.registry.register(DatabaseGauges(database, clock, [KENT], lambda: 0))
    found = exposed(metrics)
    assert found["tocsin_outbox_pending"][()] == 2
    assert found["tocsin_outbox_oldest_pending_seconds"][()] == 90
    with database.write() as connection:
        connection.execute(update(outbox).values(state="sent"))
    clock.move_to(NOW + timedelta(minutes=1))
    assert exposed(metrics)["tocsin_outbox_oldest_pending_seconds"][()] == 0


def test_when_the_database_is_away_its_figures_are_left_out_and_the_rest_is_exposed(tmp_path: Path) -> None:
    empty = SqlDatabase(f"sqlite:///{tmp_path / 'empty.db'}")
    metrics = Metrics()
    metrics.registry.register(DatabaseGauges(empty, VirtualClock(NOW), [KENT], lambda: 0))
    metrics.accepted(Feed.DRUG_CHECKING, 1)
    found = exposed(metrics)
    empty.close()
    assert found["tocsin_database_up"][()] == 0
    assert "tocsin_outbox_pending" not in found
    assert "tocsin_records_accepted_total" in found
