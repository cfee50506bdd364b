"""The outbox: what is owed goes out at least once, to whom it is still owed, and says when it may be a repeat."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from alerts import outbox
from alerts.attach import attach_or_open
from alerts.channels import TransientFailure
from alerts.reading import messages_of
from alerts.sender import Sender
from schemas.messages import Message, Receipt
from schemas.tables.outbox import outbox as outbox_table
from tests.contract.alerts_timeline import MEDWAY, NOON, Timeline, at, settings, signal, two_feeds
from tocsin.database import SqlDatabase

LEASE = timedelta(seconds=120)


@pytest.fixture
def timeline(database: SqlDatabase) -> Timeline:
    return Timeline(database)


def owe_one(timeline: Timeline) -> str:
    """Owe one page, and send nothing yet."""
    with timeline.database.write() as connection:
        (incident,) = attach_or_open(connection, [two_feeds()], timeline.clock.now(), desk=timeline.desk)
    return incident


def state_of(timeline: Timeline, incident: str) -> list[tuple[str, str | None]]:
    with timeline.database.read() as connection:
        return [(item.state, item.reason) for item in messages_of(connection, incident)]


def test_two_senders_at_once_send_it_once(timeline: Timeline) -> None:
    owe_one(timeline)
    ready = threading.Barrier(2)

    def work(owner: str) -> None:
        sender = Sender(
            timeline.database, {"email": timeline.mailbox}, timeline.clock, desk=timeline.desk, owner=owner
        )
        ready.wait()
        sender.run(NOON)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timeline.sent() == [("22 12:00", "page", "asha")]


def test_a_claim_is_nobody_elses_until_its_lease_runs_out(timeline: Timeline) -> None:
    owe_one(timeline)
    with timeline.database.write() as connection:
        assert outbox.claim_next(connection, NOON, owner="one", lease=LEASE) is not None
    with timeline.database.write() as connection:
        assert outbox.claim_next(connection, NOON + LEASE / 2, owner="two", lease=LEASE) is None
    with timeline.database.write() as connection:
        again = outbox.claim_next(connection, NOON + LEASE, owner="two", lease=LEASE)
    assert again is not None
    assert (again.attempt, again.possible_repeat) == (2, True)


class Crashing:
    """Hands the message on, and takes the process with it before anybody hears."""

    name = "email"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Receipt:
        self.messages.append(message)
        raise KeyboardInterrupt


def test_a_crash_after_sending_repeats_the_message_and_the_repeat_says_so(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    crashing = Crashing()
    with pytest.raises(KeyboardInterrupt):
        Sender(timeline.database, {"email": crashing}, timeline.clock, desk=timeline.desk).run(NOON)
    timeline.after(minutes=1)
    assert timeline.sent() == []
    timeline.after(minutes=1)
    assert timeline.sent() == [("22 12:02", "page", "asha")]
    (repeat,) = timeline.mailbox.messages
    assert repeat.possible_repeat
    assert not crashing.messages[0].possible_repeat
    assert repeat.delivery_id != crashing.messages[0].delivery_id
    assert state_of(timeline, incident) == [("sent", None)]


def test_attempts_that_died_with_their_process_never_use_up_a_message(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    moment = NOON
    for _ in range(14):  # more than the settings allow a channel to fail
        with pytest.raises(KeyboardInterrupt):
            Sender(timeline.database, {"email": Crashing()}, timeline.clock, desk=timeline.desk).run(moment)
        moment += timedelta(minutes=3)
        timeline.clock.move_to(moment)
    timeline.after(minutes=3)
    assert ("sent", None) in state_of(timeline, incident)


def test_a_fault_of_ours_in_a_channel_is_tried_again_and_ends_no_process(timeline: Timeline) -> None:
    class Faulty:
        name = "email"

        def send(self, message: Message) -> Receipt:
            raise ZeroDivisionError

    incident = owe_one(timeline)
    Sender(timeline.database, {"email": Faulty()}, timeline.clock, desk=timeline.desk).run(NOON)
    assert state_of(timeline, incident) == [("pending", "channel_fault")]


def test_a_failure_for_now_is_tried_again_later_and_later(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    timeline.mailbox.failures += [TransientFailure("smtp_451"), TransientFailure("smtp_451")]
    timeline.advance_to(at("2018-01-22 12:00") + timedelta(seconds=44))
    assert state_of(timeline, incident) == [("pending", "smtp_451")]
    timeline.after(seconds=1)  # 15 s after the first attempt, 30 s after the second
    assert timeline.sent() == [("22 12:00", "page", "asha")]
    assert not timeline.mailbox.messages[0].possible_repeat
    assert state_of(timeline, incident) == [("sent", None)]


def test_a_channel_that_asks_us_to_wait_is_left_alone_so_long(timeline: Timeline) -> None:
    owe_one(timeline)
    timeline.mailbox.failures.append(TransientFailure("busy", retry_after=timedelta(minutes=10)))
    timeline.after(minutes=9)
    assert timeline.sent() == []
    timeline.after(minutes=2)
    assert timeline.sent() == [("22 12:10", "page", "asha")]


def test_an_attempt_that_broke_off_while_handing_over_makes_the_next_say_so(timeline: Timeline) -> None:
    owe_one(timeline)
    timeline.mailbox.failures.append(TransientFailure("smtp_broke_off", may_have_arrived=True))
    timeline.after(minutes=1)
    assert [message.possible_repeat for message in timeline.mailbox.messages] == [True]


def test_what_is_given_up_says_why_and_the_incident_goes_on(database: SqlDatabase) -> None:
    timeline = Timeline(database, sender={"most_attempts": 2, "first_retry_seconds": 1})
    incident = owe_one(timeline)
    timeline.mailbox.failures += [TransientFailure("smtp_421"), TransientFailure("smtp_421")]
    timeline.after(minutes=1)
    assert ("failed", "gave up after 2 attempts: smtp_421") in state_of(timeline, incident)
    assert ("22 12:00", "reminder", "fallback") in timeline.sent()


def test_a_page_that_waits_when_its_reader_acknowledges_is_not_sent_and_says_why(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    timeline.acknowledge(incident, "asha")
    assert timeline.sent() == []
    assert state_of(timeline, incident) == [("not_sent", "this person already acknowledged")]


def test_a_page_that_waits_when_somebody_else_acknowledges_is_not_sent(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    timeline.acknowledge(incident, "ben")
    assert timeline.sent() == []
    assert state_of(timeline, incident) == [("not_sent", "somebody else acknowledged")]


def test_a_page_that_waits_when_the_incident_is_closed_is_not_sent(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    timeline.close(incident)
    timeline.run()
    assert timeline.sent() == []
    assert state_of(timeline, incident) == [("not_sent", "the incident was closed")]


def test_a_page_that_waits_when_it_gets_worse_is_replaced_by_the_new_one(timeline: Timeline) -> None:
    incident = owe_one(timeline)
    timeline.signals(signal(key="death", serious_outcome=True))
    assert timeline.sent() == [("22 12:00", "page", "asha")]
    assert ("not_sent", "a later notice replaced it") in state_of(timeline, incident)


def test_a_page_carries_a_link_to_acknowledge_and_a_quiet_word_does_not(timeline: Timeline) -> None:
    (incident,) = timeline.signals(two_feeds())
    timeline.advance_to(at("2018-01-22 12:20"))
    timeline.acknowledge(incident, "asha")
    page, quiet = timeline.mailbox.messages[0], timeline.mailbox.messages[-1]
    assert page.acknowledge_url is not None
    assert page.acknowledge_url.startswith("http://localhost:8321/acknowledge/")
    assert quiet.acknowledge_url is None


def test_somebody_whom_no_channel_reaches_is_noted_and_the_fallback_is_told(database: SqlDatabase) -> None:
    from alerts import people

    timeline = Timeline(database)
    with database.write() as connection:
        people.save_person(connection, people.Person("asha", "Asha", None), NOON)
    (incident,) = timeline.signals(two_feeds())
    assert timeline.sent() == [("22 12:00", "page", "fallback")]
    assert ("failed", "no channel reaches this person") in state_of(timeline, incident)


def test_the_names_of_channels_are_those_of_the_settings() -> None:
    assert settings().channels.names == ("email",)


def test_a_claim_counts_from_its_own_moment_however_long_the_messages_before_it_took(
    timeline: Timeline,
) -> None:
    held_for: list[timedelta] = []

    class Slow:
        name = "email"

        def send(self, message: Message) -> Receipt:
            claimed = select(outbox_table.c.due_at).where(outbox_table.c.state == "claimed")
            with timeline.database.read() as connection:
                held_for.append(connection.execute(claimed).scalar_one() - timeline.clock.now())
            timeline.clock.move_to(timeline.clock.now() + 2 * LEASE)
            return Receipt(reference="kept")

    with timeline.database.write() as connection:
        attach_or_open(
            connection, [two_feeds(), two_feeds(key="medway", areas=(MEDWAY,))], NOON, desk=timeline.desk
        )
    Sender(timeline.database, {"email": Slow()}, timeline.clock, desk=timeline.desk).run(NOON)
    assert held_for == [LEASE, LEASE]
