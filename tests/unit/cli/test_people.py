"""People, rota, keys and links from the command line: how the first of each comes in."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from schemas.tables.audit import audit_entry
from tocsin.clocks import VirtualClock
from tocsin.web.api_keys import find_api_key

from .conftest import NOW, Tocsin, said


def actions(writing: object) -> list[tuple[str, str, str]]:
    """Who did what by which authentication, by the audit trail."""
    with writing() as connection:  # type: ignore[operator]
        entry = audit_entry.c
        rows = connection.execute(select(entry.actor, entry.authenticated_by, entry.action))
        return [tuple(row) for row in rows]


def test_the_first_person_comes_in_by_the_shell_and_it_is_recorded(tocsin: Tocsin, writing: object) -> None:
    done = tocsin(
        "people", "add", "asha", "--name", "Asha Patel", "--email", "asha@example.org", "--role", "on_call"
    )
    assert done.exit_code == 0, done.output
    shown = tocsin("people", "list").stdout
    for words in ("asha@example.org", "on_call in kent-and-medway", "fallback contact"):
        assert words in shown
    assert ("shell", "shell", "role_granted") in actions(writing)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("Asha Patel", "--name", "Asha"), "PERSON is lower-case letters"),
        (("asha", "--name", "Asha", "--email", "not-an-address"), "--email must look like name@example.org."),
        (("asha", "--name", "Asha", "--role", "viewer", "--jurisdiction", "surrey"), "surrey is not"),
    ],
)
def test_a_person_who_cannot_be_is_refused(tocsin: Tocsin, arguments: tuple[str, ...], sentence: str) -> None:
    done = tocsin("people", "add", *arguments)
    assert done.exit_code == 2
    assert sentence in said(done)
    assert "asha" not in tocsin("people", "list").stdout


def test_a_role_can_be_given_and_taken_away(tocsin: Tocsin) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel")
    assert tocsin("people", "grant", "asha", "coordinator").exit_code == 0
    assert "coordinator in" in tocsin("people", "list").stdout
    assert tocsin("people", "grant", "asha", "coordinator", "--withdraw").exit_code == 0
    assert "coordinator in" not in tocsin("people", "list").stdout
    assert "Nobody called zoe" in said(tocsin("people", "grant", "zoe", "viewer"))


def test_the_rota_says_who_is_on_call_and_who_is_told_when_nobody_is(
    tocsin: Tocsin, clock: VirtualClock
) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel", "--role", "on_call")
    assert "nobody, so the fallback contact fallback is told" in tocsin("rota", "show").stdout
    assert tocsin("rota", "add", "asha", "2018-01-22T09:00", "2018-01-22T17:00").exit_code == 0
    assert "On call now: asha." in tocsin("rota", "show").stdout
    clock.move_to(NOW + timedelta(hours=6))
    assert "nobody" in tocsin("rota", "show").stdout


def test_times_of_the_rota_are_londons_in_summer_too(tocsin: Tocsin, clock: VirtualClock) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel", "--role", "on_call")
    done = tocsin("rota", "add", "asha", "2018-07-02T09:00", "2018-07-02T08:30+00:00")
    assert "from Mon 2 Jul 2018 09:00 to Mon 2 Jul 2018 09:30" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("asha", "tomorrow", "2018-01-22T17:00"), "tomorrow is not a date and time"),
        (("asha", "2018-01-22T17:00", "2018-01-22T09:00"), "A shift must end after it begins."),
        (("zoe", "2018-01-22T09:00", "2018-01-22T17:00"), "Nobody called zoe is known"),
        (("ben", "2018-01-22T09:00", "2018-01-22T17:00"), "ben has no role in kent-and-medway that may"),
    ],
)
def test_a_shift_that_cannot_be_is_refused(tocsin: Tocsin, arguments: tuple[str, ...], sentence: str) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel", "--role", "on_call")
    tocsin("people", "add", "ben", "--name", "Ben Cole", "--role", "viewer")
    assert sentence in said(tocsin("rota", "add", *arguments))
    assert "No shifts" in tocsin("rota", "show").stdout


def test_a_shift_can_be_taken_off_the_rota(tocsin: Tocsin) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel", "--role", "on_call")
    tocsin("rota", "add", "asha", "2018-01-22T09:00", "2018-01-22T17:00")
    assert tocsin("rota", "remove", "asha", "2018-01-22T09:00").exit_code == 0
    assert "has no shift" in said(tocsin("rota", "remove", "asha", "2018-01-22T09:00"))


def test_a_key_is_shown_once_works_and_can_be_revoked(tocsin: Tocsin, writing: object) -> None:
    done = tocsin("keys", "create", "ambulance-naloxone", "--organisation", "secamb")
    assert done.exit_code == 0, done.output
    key = done.stdout.splitlines()[-1]
    with writing() as connection:  # type: ignore[operator]
        found = find_api_key(connection, key)
    assert found is not None
    assert found.organisation == "secamb"
    listed = tocsin("keys", "list").stdout
    assert found.id in listed
    assert key not in listed
    assert tocsin("keys", "revoke", found.id).exit_code == 0
    with writing() as connection:  # type: ignore[operator]
        assert find_api_key(connection, key) is None
    assert "no such key" in said(tocsin("keys", "revoke", found.id))
    assert [action for _, _, action in actions(writing)] == ["key_created", "key_revoked"]


def test_a_sign_in_link_is_made_for_somebody_with_a_role_and_recorded(
    tocsin: Tocsin, writing: object
) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel")
    assert "asha has no role anywhere" in said(tocsin("sign-in-link", "asha"))
    tocsin("people", "grant", "asha", "viewer")
    done = tocsin("sign-in-link", "asha")
    assert done.stdout.startswith("http://localhost:8321/sign-in/")
    assert len(done.stdout.splitlines()) == 1
    assert ("shell", "shell", "sign_in_link_made") in actions(writing)


def test_a_test_message_is_sent_at_once(tocsin: Tocsin) -> None:
    done = tocsin("send-test", "console_log", "fallback")
    assert done.exit_code == 0, done.output
    assert "Test: This is a test of Tocsin" in done.stdout
    assert "took the message for fallback" in done.stdout


def test_a_channel_that_is_not_set_up_is_named(tocsin: Tocsin) -> None:
    tocsin("people", "add", "asha", "--name", "Asha Patel")
    assert "email is not set up" in said(tocsin("send-test", "email", "fallback"))
    assert "asha has no e-mail address" in said(tocsin("send-test", "email", "asha"))
    assert "Nobody called zoe" in said(tocsin("send-test", "email", "zoe"))


def test_mail_that_cannot_leave_is_one_sentence_without_an_address(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "TOCSIN__ALERTS__CHANNELS__EMAIL",
        '{"host": "127.0.0.1", "port": 1, "security": "none", "sender": "tocsin@example.org"}',
    )
    done = tocsin("send-test", "email", "fallback")
    assert said(done) == "The message was not taken (smtp_unreachable). It may go later."
