"""Who is told of an incident, when, and that nobody is told anything else: timelines on a virtual clock."""

from datetime import date, timedelta

import pytest

from alerts.settings import EscalationPolicy, EscalationStep
from schemas.incidents import Phase, Worse
from schemas.signals import FeedEvidence
from schemas.vocabulary import Feed, Tier
from tests.contract.alerts_timeline import (
    CANTERBURY,
    KENT,
    NOON,
    THANET,
    Timeline,
    at,
    settings,
    signal,
    two_feeds,
)
from tocsin.database import SqlDatabase


@pytest.fixture
def timeline(database: SqlDatabase) -> Timeline:
    return Timeline(database)


def test_nobody_answers_so_the_steps_follow_and_the_last_one_never_ends(timeline: Timeline) -> None:
    timeline.signals(two_feeds())
    assert timeline.sent() == [("22 12:00", "page", "asha")]
    timeline.advance_to(at("2018-01-22 12:14"))
    assert timeline.sent() == []
    timeline.advance_to(at("2018-01-22 13:20"))
    assert timeline.sent() == [
        ("22 12:15", "reminder", "asha"),
        ("22 12:15", "reminder", "fallback"),
        ("22 12:45", "reminder", "asha"),
        ("22 12:45", "reminder", "fallback"),
        ("22 13:15", "reminder", "asha"),
        ("22 13:15", "reminder", "fallback"),
    ]
    # Whoever is on call at that moment, and still nobody has answered a week later.
    timeline.advance_to(at("2018-01-22 20:30"))
    assert ("22 20:15", "reminder", "ben") in timeline.sent()
    timeline.advance_to(at("2018-01-29 12:00"))
    assert [when for when, _, _ in timeline.sent()][-1].startswith("28")  # daily by then


def test_an_acknowledgement_ends_the_reminders_until_its_review_by(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.sent()
    timeline.after(minutes=5)
    given = timeline.acknowledge(incident, "asha")
    assert given.review_by == at("2018-01-22 16:05")
    timeline.advance_to(at("2018-01-22 16:04"))
    assert timeline.sent() == []
    assert timeline.incident(incident).phase is Phase.ACKNOWLEDGED


def test_a_lapsed_acknowledgement_is_heard_of_by_its_giver_and_whoever_is_on_call_now(
    timeline: Timeline,
) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha", at("2018-01-22 21:00"))
    timeline.sent()
    timeline.advance_to(at("2018-01-22 21:05"))
    assert timeline.sent() == [("22 21:00", "lapsed", "asha"), ("22 21:00", "lapsed", "ben")]
    timeline.advance_to(at("2018-01-22 21:35"))
    assert timeline.sent() == [("22 21:30", "reminder", "ben"), ("22 21:30", "reminder", "fallback")]
    timeline.acknowledge(incident, "ben")
    timeline.sent()
    timeline.advance_to(at("2018-01-23 08:59"))
    assert timeline.sent() == []


def test_others_already_told_get_one_quiet_word_and_their_pending_messages_are_not_sent(
    timeline: Timeline,
) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.advance_to(at("2018-01-22 12:20"))
    timeline.sent()
    timeline.acknowledge(incident, "asha")
    assert timeline.sent() == [("22 12:20", "has_it", "fallback")]
    assert "Asha has it until Mon 22 Jan 2018, 16:20." in timeline.mailbox.messages[-1].card.lines[0]
    timeline.acknowledge(incident, "asha")
    timeline.acknowledge(incident, "fallback")
    timeline.advance_to(at("2018-01-22 16:19"))
    assert timeline.sent() == []


def test_acknowledging_twice_is_one_acknowledgement_and_one_line_of_audit(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    first = timeline.acknowledge(incident, "asha")
    timeline.after(minutes=1)
    assert timeline.acknowledge(incident, "asha") == first
    assert len(timeline.incident(incident).acknowledgements) == 1


def test_undoing_an_acknowledgement_lets_the_round_go_on_at_once(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    timeline.after(minutes=40)
    timeline.sent()
    timeline.undo(incident, by="asha")
    assert timeline.sent() == [("22 12:40", "reminder", "asha"), ("22 12:40", "reminder", "fallback")]
    kept = timeline.incident(incident)
    assert kept.phase is Phase.NEW
    assert kept.acknowledgements[0].undone_by == "asha"
    assert kept.held_by == ()


def test_at_two_in_the_morning_a_page_of_one_feed_waits_until_half_past_seven(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-01-23 02:00"))
    timeline.signals(signal())
    timeline.advance_to(at("2018-01-23 07:29"))
    assert timeline.sent() == []
    timeline.advance_to(at("2018-01-23 07:40"))
    assert timeline.sent() == [("23 07:30", "page", "ben")]


def test_at_two_in_the_morning_a_page_of_two_feeds_rings(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-01-23 02:00"))
    timeline.signals(two_feeds())
    assert timeline.sent() == [("23 02:00", "page", "ben")]


def test_at_two_in_the_morning_a_page_tripwire_rings_and_stale_evidence_does_not(
    database: SqlDatabase,
) -> None:
    timeline = Timeline(database, at("2018-01-26 02:00"))
    stale = two_feeds(key="stale", areas=(CANTERBURY,), newest_evidence_at=at("2018-01-23 01:59"))
    timeline.signals(stale)
    assert timeline.sent() == []
    timeline.signals(signal(detector="tripwire_scene", newest_evidence_at=at("2018-01-26 01:00")))
    assert timeline.sent() == [("26 02:00", "page", "ben")]


def test_a_page_that_waits_for_the_morning_rings_at_once_when_a_tripwire_makes_it_urgent(
    database: SqlDatabase,
) -> None:
    timeline = Timeline(database, at("2018-01-23 02:00"))
    timeline.signals(signal())
    timeline.after(hours=1)
    assert timeline.sent() == []
    timeline.signals(signal(detector="tripwire_scene", observed=3))
    assert timeline.sent() == [("23 03:00", "page", "ben")]
    timeline.after(minutes=20)
    assert timeline.sent() == [("23 03:15", "reminder", "ben"), ("23 03:15", "reminder", "fallback")]


def test_half_past_seven_is_londons_in_summer_too(database: SqlDatabase) -> None:
    # Clocks go forward on 25 March 2018: 07:30 in London is then 06:30 in UTC.
    timeline = Timeline(database, at("2018-03-24 23:30"))
    fresh = {"window_start": date(2018, 3, 24), "window_end": date(2018, 3, 24)}
    timeline.signals(signal(**fresh, newest_evidence_at=at("2018-03-24 20:00")))
    timeline.advance_to(at("2018-03-25 06:29"))
    assert timeline.sent() == []
    timeline.advance_to(at("2018-03-25 06:31"))
    assert timeline.sent() == [("25 06:30", "page", "fallback")]  # the rota ends before that day


def test_reminders_of_a_page_that_does_not_ring_at_night_stop_at_night(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-01-22 21:50"))
    timeline.signals(signal())
    timeline.advance_to(at("2018-01-23 08:00"))
    assert timeline.sent() == [
        ("22 21:50", "page", "ben"),
        ("23 07:30", "reminder", "ben"),
        ("23 07:30", "reminder", "fallback"),
        ("23 08:00", "reminder", "asha"),
        ("23 08:00", "reminder", "fallback"),
    ]


def test_a_review_is_one_message_on_the_next_working_day(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-03-29 12:00"))  # the Thursday before Easter
    timeline.signals(signal(tier=Tier.REVIEW, newest_evidence_at=at("2018-03-29 10:00")))
    timeline.advance_to(at("2018-04-03 12:00"))
    assert timeline.sent() == [("03 08:00", "review", "cora")]  # 09:00 in London on the Tuesday after


def test_a_repeat_of_a_signal_tells_nobody_again(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha")
    timeline.sent()
    for minutes in (1, 2, 3):
        timeline.after(minutes=minutes)
        assert timeline.signals(two_feeds()) == (incident,)
    assert timeline.sent() == []
    assert timeline.incident(incident).signals == 1


WORSE = {
    Worse.NEW_FEED: two_feeds(key="both"),
    Worse.NEW_AREA: signal(
        key="canterbury", areas=(CANTERBURY,), tier=Tier.PAGE, window_end=date(2018, 1, 22)
    ),
    Worse.LAB_CONFIRMED: signal(lab_confirmed=True),
    Worse.FIRST_DEATH: signal(serious_outcome=True),
    Worse.EXCESS_DOUBLED: signal(observed=10),
    Worse.SECOND_WAVE: signal(key="again", window_start=date(2018, 1, 23), window_end=date(2018, 1, 23)),
}


@pytest.mark.parametrize("reason", list(WORSE))
def test_what_got_worse_is_told_once_and_wants_a_new_acknowledgement(
    database: SqlDatabase, reason: Worse
) -> None:
    timeline = Timeline(database)
    # A signal for both areas first, so that Canterbury belongs to the same incident.
    both = signal(key="pair", areas=(CANTERBURY, THANET), tier=Tier.REVIEW)
    (incident,) = timeline.signals(signal(), both)
    timeline.acknowledge(incident, "asha", NOON + timedelta(hours=30))
    timeline.advance_to(at("2018-01-23 12:00"))
    timeline.sent()
    assert timeline.signals(WORSE[reason]) == (incident,)
    assert timeline.sent() == [("23 12:00", "page", "asha")]
    assert timeline.incident(incident).reasons == (reason,)
    assert timeline.incident(incident).held_by == ()
    timeline.acknowledge(incident, "asha")
    timeline.signals(WORSE[reason])
    timeline.after(minutes=30)
    assert timeline.sent() == []


def test_a_review_that_grows_into_a_page_rings(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal(tier=Tier.REVIEW))
    assert timeline.sent() == []
    timeline.signals(two_feeds())
    assert timeline.sent() == [("22 12:00", "page", "asha")]
    assert Worse.HIGHER_TIER in timeline.incident(incident).reasons
    timeline.acknowledge(incident, "asha", at("2018-01-24 12:00"))
    timeline.advance_to(at("2018-01-24 11:00"))
    assert timeline.sent() == []  # the review that was owed is not sent any more


def test_a_pooled_neighbour_is_no_new_area(timeline: Timeline) -> None:
    timeline.signals(signal())
    timeline.sent()
    timeline.signals(signal(key="pair", areas=(CANTERBURY, THANET), recurrence_interval_days=950.0))
    assert timeline.sent() == []


def test_withdrawn_evidence_is_said_on_the_incident_and_to_whoever_was_told(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds(evidence=("a" * 32, "b" * 32)))
    timeline.acknowledge(incident, "asha")
    timeline.sent()
    timeline.withdraw("a" * 32, "c" * 32)
    assert timeline.incident(incident).evidence_withdrawn == 1
    assert timeline.sent() == [("22 12:00", "withdrawn", "asha")]
    timeline.withdraw("a" * 32)
    assert timeline.sent() == []  # it is taken back once
    assert timeline.incident(incident).evidence_withdrawn == 1


def test_a_closed_incident_is_silent_and_later_evidence_opens_one_linked_to_it(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.close(incident)
    timeline.sent()
    timeline.after(hours=5)
    assert timeline.signals(two_feeds()) == (incident,)  # nothing that was not known when it was closed
    assert timeline.sent() == []
    later = two_feeds(key="later", newest_evidence_at=at("2018-01-22 16:00"))
    (linked,) = timeline.signals(later)
    assert linked != incident
    assert timeline.incident(linked).linked_to == incident
    assert timeline.sent() == [("22 17:00", "page", "asha")]


def test_without_new_evidence_it_asks_once_to_be_closed(timeline: Timeline) -> None:
    (incident,) = timeline.signals(signal(tier=Tier.REVIEW))
    timeline.advance_to(at("2018-02-20 12:00"))
    assert timeline.sent() == [("05 10:00", "ask_close", "cora"), ("23 09:00", "review", "cora")]
    assert timeline.incident(incident).is_open


def test_with_nobody_on_call_the_fallback_is_told(database: SqlDatabase) -> None:
    timeline = Timeline(database, at("2018-06-01 12:00"))
    fresh = {"window_start": date(2018, 6, 1), "window_end": date(2018, 6, 1)}
    timeline.signals(two_feeds(**fresh, newest_evidence_at=at("2018-06-01 11:00")))
    assert timeline.sent() == [("01 12:00", "page", "fallback")]


def test_a_page_that_cannot_reach_its_reader_brings_the_next_step_forward(timeline: Timeline) -> None:
    timeline.mailbox.refuse.add("asha")
    timeline.signals(two_feeds())
    assert timeline.sent() == [("22 12:00", "reminder", "fallback")]
    timeline.after(minutes=29)
    assert timeline.sent() == []  # the repeats keep their time


def test_the_policy_of_the_opening_stands_when_settings_change(database: SqlDatabase) -> None:
    timeline = Timeline(database)
    timeline.signals(two_feeds())
    timeline.sent()
    slower = settings(escalation={"steps": [{"after_minutes": 0, "whom": ["fallback"]}]})
    object.__setattr__(timeline.desk, "settings", slower)
    timeline.advance_to(at("2018-01-22 12:20"))
    assert timeline.sent() == [("22 12:15", "reminder", "asha"), ("22 12:15", "reminder", "fallback")]


def test_a_record_opens_nothing(timeline: Timeline) -> None:
    assert timeline.signals(signal(tier=Tier.RECORD)) == ()
    assert timeline.sent() == []


def test_a_replay_without_messages_opens_incidents_and_owes_nothing(database: SqlDatabase) -> None:
    timeline = Timeline(database, tell_people=False)
    (incident,) = timeline.signals(two_feeds())
    timeline.advance_to(NOON + timedelta(days=30))
    assert timeline.sent() == []
    assert timeline.incident(incident).tier is Tier.PAGE


def test_the_same_history_gives_the_same_messages_to_the_byte(
    database: SqlDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from schemas.tables import metadata

    other = SqlDatabase(f"sqlite:///{tmp_path_factory.mktemp('again') / 'tocsin.db'}")
    metadata.create_all(other.engine)
    histories = []
    for one in (database, other):
        timeline = Timeline(one)
        (incident,) = timeline.signals(two_feeds(), signal(key="other"))
        timeline.after(minutes=20)
        timeline.acknowledge(incident, "asha")
        timeline.after(hours=6)
        histories.append([message.model_dump_json() for message in timeline.mailbox.messages])
    other.close()
    assert histories[0] == histories[1]
    assert len(histories[0]) > 3


def test_an_area_of_its_own_far_away_is_another_incident(timeline: Timeline) -> None:
    (first,) = timeline.signals(signal())
    (second,) = timeline.signals(signal(key="canterbury", areas=(CANTERBURY,)))
    assert (first, second) == ("KM-2018-0001", "KM-2018-0002")
    assert timeline.incident(second).areas == (CANTERBURY,)


def test_people_of_a_message_learn_no_figure(timeline: Timeline) -> None:
    feeds = (FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=6, expected=0.6),)
    timeline.signals(signal(feeds=feeds, observed=6, expected=0.6))
    (message,) = timeline.mailbox.messages
    text = " ".join(message.card.lines)
    assert (
        "Ambulance naloxone: fewer than 8 cases in the 2 days to Mon 12:00, well above usual for here."
        in text
    )
    assert "0.6" not in text
    assert " 6 " not in text
    assert KENT not in text
    assert THANET not in text


def test_a_round_that_was_answered_for_days_reminds_often_again_once_its_answer_lapses(
    timeline: Timeline,
) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.acknowledge(incident, "asha", at("2018-01-24 12:00"))
    timeline.sent()
    timeline.advance_to(at("2018-01-24 13:45"))
    assert timeline.sent() == [
        ("24 12:00", "lapsed", "asha"),
        ("24 12:30", "reminder", "asha"),
        ("24 12:30", "reminder", "fallback"),
        ("24 13:00", "reminder", "asha"),
        ("24 13:00", "reminder", "fallback"),
        ("24 13:30", "reminder", "asha"),
        ("24 13:30", "reminder", "fallback"),
    ]
    assert any("Wed 24 Jan 2018, 12:00" in line for line in timeline.mailbox.messages[-1].card.lines)


def test_a_policy_that_reaches_nobody_ends_with_the_fallback_contact(database: SqlDatabase) -> None:
    only_on_call = EscalationPolicy(steps=(EscalationStep(after_minutes=0, whom=("on_call",)),))
    timeline = Timeline(database, escalation=only_on_call)
    timeline.mailbox.refuse = {"asha"}
    timeline.signals(two_feeds())
    assert timeline.sent() == [("22 12:00", "reminder", "fallback")]
    timeline.advance_to(at("2018-01-22 13:15"))
    assert timeline.sent() == [("22 12:30", "reminder", "fallback"), ("22 13:00", "reminder", "fallback")]
    # Once the named person can be reached again, the fallback contact is left in peace.
    timeline.mailbox.refuse = set()
    timeline.advance_to(at("2018-01-22 14:15"))
    assert timeline.sent() == [
        ("22 13:30", "reminder", "asha"),
        ("22 13:30", "reminder", "fallback"),
        ("22 14:00", "reminder", "asha"),
    ]
