"""Attach-or-open and what people do, against both databases: one incident however signals come, and nothing lost."""

import threading
from datetime import date, timedelta
from itertools import permutations

import pytest

from alerts.acknowledge import (
    IncidentClosedError,
    NoSuchIncidentError,
    NothingToUndoError,
    acknowledge,
    close_incident,
    undo_acknowledgement,
)
from alerts.attach import attach_or_open
from alerts.reading import list_incidents, messages_of, signals_of
from schemas.authorise import Authentication, Forbidden, Principal, Role
from schemas.disclosure import exact
from schemas.incidents import Outcome, Phase, Urgency
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier
from tests.contract.alerts_timeline import (
    CANTERBURY,
    DARTFORD,
    KENT,
    NOON,
    THANET,
    WHOLE,
    Timeline,
    at,
    signal,
    two_feeds,
)
from tocsin.database import SqlDatabase


@pytest.fixture
def timeline(database: SqlDatabase) -> Timeline:
    return Timeline(database)


def test_two_writers_at_once_with_overlapping_signals_make_one_incident(timeline: Timeline) -> None:
    ready = threading.Barrier(2)
    found: list[tuple[str, ...]] = []

    def write(one: Signal) -> None:
        ready.wait()
        with timeline.database.write() as connection:
            found.append(attach_or_open(connection, [one], NOON, desk=timeline.desk))

    threads = [threading.Thread(target=write, args=(signal(key=key),)) for key in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("KM-2018-0001",), ("KM-2018-0001",)]
    assert timeline.incident("KM-2018-0001").signals == 2


def test_the_order_in_which_signals_of_one_run_are_handed_over_does_not_matter(
    database: SqlDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from schemas.tables import metadata

    signals = [
        signal(key="weak", tier=Tier.REVIEW, areas=(CANTERBURY, THANET), recurrence_interval_days=40.0),
        two_feeds(key="strong"),
        signal(key="record", tier=Tier.RECORD, areas=(DARTFORD,)),
        signal(key="apart", areas=(DARTFORD,), substance_class=SubstanceClass.STIMULANT),
    ]
    seen = set()
    for number, order in enumerate(permutations(signals)):
        if number % 6:
            continue
        one = SqlDatabase(f"sqlite:///{tmp_path_factory.mktemp('order') / 'tocsin.db'}")
        metadata.create_all(one.engine)
        timeline = Timeline(one)
        timeline.signals(*order)
        with one.read() as connection:
            seen.add(tuple(item.model_dump_json() for item in list_incidents(connection, [KENT])))
        one.close()
    assert len(seen) == 1
    assert len(seen.pop()) == 2


def test_an_unknown_opioid_joins_a_nitazene_incident_and_a_stimulant_does_not(timeline: Timeline) -> None:
    (nitazene,) = timeline.signals(signal(substance_class=SubstanceClass.NITAZENE))
    assert timeline.signals(signal(key="opioid")) == (nitazene,)
    assert timeline.signals(signal(key="s", substance_class=SubstanceClass.STIMULANT)) != (nitazene,)
    assert timeline.incident(nitazene).substance_class is SubstanceClass.NITAZENE


def test_a_signal_for_the_whole_jurisdiction_joins_without_taking_the_place_name(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal())
    stronger = signal(key="whole", areas=(WHOLE,), recurrence_interval_days=9000.0, observed=9)
    assert timeline.signals(stronger) == (incident,)
    assert timeline.incident(incident).areas == (THANET,)


def test_a_signal_for_the_whole_jurisdiction_alone_opens_one_there(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal(areas=(WHOLE,)))
    assert timeline.incident(incident).areas == (WHOLE,)
    assert "Kent and Medway" in timeline.mailbox.messages[0].card.title


@pytest.mark.parametrize(("days", "joins"), [(14, True), (15, False)])
def test_windows_at_most_fourteen_days_apart_are_one_incident(
    timeline: Timeline, days: int, joins: bool
) -> None:
    (first,) = timeline.signals(signal())
    start = date(2018, 1, 22) + timedelta(days=days)
    timeline.clock.move_to(NOON + timedelta(days=days))
    (second,) = timeline.signals(
        signal(window_start=start, window_end=start, newest_evidence_at=timeline.clock.now())
    )
    assert (second == first) is joins


def test_a_repeat_with_new_numbers_updates_the_signal_in_place(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal(tier=Tier.REVIEW))
    timeline.signals(signal(observed=7, recurrence_interval_days=2000.0))
    found = timeline.incident(incident)
    assert exact(found.observed, timeline.principal("asha")) == 7
    assert found.tier is Tier.PAGE
    with timeline.database.read() as connection:
        assert [item.observed for item in signals_of(connection, incident)] == [7]


def test_a_tier_that_people_were_told_of_does_not_fall(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal())
    timeline.signals(signal(tier=Tier.REVIEW, observed=3))
    assert timeline.incident(incident).tier is Tier.PAGE


def test_ingest_leaves_what_people_decided_alone(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    timeline.signals(two_feeds(observed=9), signal(key="more", serious_outcome=True))
    found = timeline.incident(incident)
    assert found.phase is Phase.ACKNOWLEDGED
    assert [item.person for item in found.acknowledgements] == ["asha"]


def test_incident_numbers_follow_the_civil_year_of_opening(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-12-31 23:59"))
    assert timeline.signals(signal()) == ("KM-2018-0001",)
    timeline.clock.move_to(at("2019-01-01 00:00"))
    day = date(2019, 1, 1)
    assert timeline.signals(signal(key="new", window_start=day, window_end=day)) == ("KM-2019-0001",)


def test_a_transaction_that_fails_leaves_neither_incident_nor_message_nor_audit(timeline: Timeline) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117 (what is tested is a transaction that breaks)
        with timeline.database.write() as connection:
            attach_or_open(connection, [two_feeds()], NOON, desk=timeline.desk)
            raise ZeroDivisionError
    with timeline.database.read() as connection:
        assert list_incidents(connection, [KENT]) == []
    timeline.run()
    assert timeline.sent() == []
    assert timeline.signals(two_feeds()) == ("KM-2018-0001",)


def test_both_feeds_are_named_and_a_tripwire_makes_it_urgent(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    assert timeline.incident(incident).feeds == (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS)
    assert timeline.incident(incident).urgency is Urgency.NOW
    (other,) = timeline.signals(signal(key="one", areas=(DARTFORD,)))
    assert timeline.incident(other).urgency is Urgency.MORNING


def test_who_acknowledged_and_how_they_were_known_is_kept(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha", by=Authentication.EMAIL_LINK)
    timeline.acknowledge(incident, "cora", by=Authentication.SHELL)
    kept = timeline.incident(incident).acknowledgements
    assert [(item.person, item.authenticated_by) for item in kept] == [
        ("asha", Authentication.EMAIL_LINK),
        ("cora", Authentication.SHELL),
    ]


def test_a_stranger_cannot_acknowledge_and_nothing_is_written(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    stranger = Principal(
        person="eve", authenticated_by=Authentication.SESSION, roles={KENT: frozenset({Role.VIEWER})}
    )
    with pytest.raises(Forbidden), timeline.database.write() as connection:
        acknowledge(connection, incident, stranger, NOON, desk=timeline.desk)
    assert timeline.incident(incident).acknowledgements == ()


def test_only_a_coordinator_undoes_somebody_elses_acknowledgement(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    with pytest.raises(Forbidden):
        timeline.undo(incident, by="ben", person="asha")
    timeline.undo(incident, by="cora", person="asha")
    assert timeline.incident(incident).acknowledgements[0].undone_by == "cora"
    with pytest.raises(NothingToUndoError):
        timeline.undo(incident, by="cora", person="asha")


def test_a_new_acknowledgement_after_an_undone_one_counts(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    timeline.undo(incident, by="asha")
    timeline.acknowledge(incident, "asha")
    assert [item.stands for item in timeline.incident(incident).acknowledgements] == [False, True]


def test_a_review_by_in_the_past_or_next_week_is_refused(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    for review_by in (NOON, NOON + timedelta(hours=73)):
        with pytest.raises(ValueError, match="between now and 72 hours"):
            timeline.acknowledge(incident, "asha", review_by)


def test_moving_the_review_by_keeps_one_acknowledgement(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    timeline.acknowledge(incident, "asha", NOON + timedelta(hours=1))
    assert len(timeline.incident(incident).acknowledgements) == 1
    assert timeline.incident(incident).next_step_at == NOON + timedelta(hours=1)


def test_a_closed_incident_is_neither_acknowledged_nor_closed_again(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.close(incident)
    found = timeline.incident(incident)
    assert (found.phase, found.outcome, found.closed_by) == (Phase.CLOSED, Outcome.NO_ACTION, "cora")
    with pytest.raises(IncidentClosedError, match="was closed on Mon 22 Jan 2018, 12:00"):
        timeline.acknowledge(incident, "asha")
    with pytest.raises(IncidentClosedError):
        timeline.close(incident)


def test_an_incident_that_does_not_exist_is_named(timeline: Timeline) -> None:
    with pytest.raises(NoSuchIncidentError, match="KM-2018-0099"):
        timeline.acknowledge("KM-2018-0099", "asha")


def test_closing_needs_an_outcome(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    cora = timeline.principal("cora")
    with pytest.raises(ValueError, match="outcome"), timeline.database.write() as connection:
        close_incident(connection, incident, cora, NOON, outcome=Outcome.NONE)
    with pytest.raises(NothingToUndoError), timeline.database.write() as connection:
        undo_acknowledgement(connection, incident, cora, NOON)


def test_lists_show_the_newest_first_and_only_the_jurisdictions_asked_for(timeline: Timeline) -> None:
    timeline.signals(signal())
    timeline.after(minutes=1)
    timeline.signals(signal(key="d", areas=(DARTFORD,)))
    timeline.close("KM-2018-0001")
    with timeline.database.read() as connection:
        assert [one.id for one in list_incidents(connection, [KENT])] == ["KM-2018-0002", "KM-2018-0001"]
        assert [one.id for one in list_incidents(connection, [KENT], open_only=True)] == ["KM-2018-0002"]
        assert list_incidents(connection, []) == []


def test_every_message_and_what_became_of_it_can_be_read(timeline: Timeline) -> None:
    timeline.mailbox.refuse.add("asha")
    (incident,) = timeline.signals(two_feeds())
    with timeline.database.read() as connection:
        states = {
            (item.recipient, item.kind): (item.state, item.reason)
            for item in messages_of(connection, incident)
        }
    assert states == {
        ("asha", "page"): ("failed", "smtp_550"),
        ("asha", "reminder"): ("failed", "smtp_550"),
        ("fallback", "reminder"): ("sent", None),
    }
