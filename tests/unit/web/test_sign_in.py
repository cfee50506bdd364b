"""Signing in: one link, once, for those who are known, and nothing that says who is known."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from schemas.authorise import Role
from schemas.tables.web import web_session
from tests.unit.web.house import BASE_URL, KENT, House, form_token

Later = Callable[[timedelta], None]


def link_for(house: House, email: str) -> str:
    assert house.client().post("/sign-in", data={"email": email}).status_code == 200
    return house.mailbox.links[-1][1].removeprefix(BASE_URL)


def test_the_answer_is_the_same_whether_the_address_is_known_or_not(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    known = house.client().post("/sign-in", data={"email": "officer@example.org"})
    unknown = house.client().post("/sign-in", data={"email": "nobody@example.org"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert known.headers == unknown.headers
    assert known.headers["connection"] == "close"
    assert [person.id for person, _, _ in house.mailbox.links] == ["officer"]


def test_a_mail_scanner_that_opens_the_link_does_not_use_it_up(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "OFFICER@example.org")
    for _ in range(3):
        opened = house.client().get(path)
        assert opened.status_code == 200
        assert "set-cookie" not in opened.headers
    assert house.client().post(path).headers["location"] == "/incidents"


def test_a_link_works_once(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    assert house.client().post(path).status_code == 303
    again = house.client().post(path)
    assert again.status_code == 410
    assert "was used already" in again.text
    assert "set-cookie" not in again.headers


def test_a_link_respelt_with_the_same_signature_does_not_work_again(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    assert house.client().post(path).status_code == 303
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    answers = {house.client().post(path[:-1] + letter).status_code for letter in alphabet}
    assert answers == {410}


def test_a_link_expires(house: House, later: Later) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    later(timedelta(minutes=15))
    for answer in (house.client().get(path), house.client().post(path)):
        assert answer.status_code == 410
        assert "has expired" in answer.text


def test_a_forged_link_opens_nothing(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    head, _, signature = path.rpartition(".")
    for forged in (head + "." + signature[::-1], head, path.removesuffix(signature), "/sign-in/x"):
        assert house.client().post(forged).status_code in (404, 410)


def test_somebody_who_is_no_longer_registered_cannot_use_their_link(house: House) -> None:
    from sqlalchemy import update

    from schemas.tables.people import person

    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    with house.database.write() as connection:
        connection.execute(update(person).values(active=False))
    assert house.client().post(path).status_code == 410


def test_nobodys_mailbox_can_be_flooded(house: House, later: Later) -> None:
    house.person("officer", Role.ON_CALL)
    for _ in range(12):
        house.client().post("/sign-in", data={"email": "officer@example.org"})
        later(timedelta(seconds=1))
    assert len(house.mailbox.links) == 5
    later(timedelta(minutes=16))
    house.client().post("/sign-in", data={"email": "officer@example.org"})
    assert len(house.mailbox.links) == 6


def test_the_fallback_contact_can_sign_in_without_being_registered(house: House) -> None:
    client = house.client()
    assert client.post(link_for(house, "fallback@example.org")).status_code == 303


def test_after_signing_in_the_visitor_is_brought_to_the_page_they_wanted(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    client = house.client()
    assert client.get("/incidents/KM-2018-0003").headers["location"] == "/sign-in"
    assert client.post(path).headers["location"] == "/incidents/KM-2018-0003"


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/sign-out", "/incidents/../x"])
def test_a_planted_cookie_brings_nobody_to_another_site(house: House, wanted: str) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_for(house, "officer@example.org")
    client = house.client()
    client.cookies.set("tocsin_next", wanted)
    assert client.post(path).headers["location"] == "/incidents"


def test_the_database_holds_no_value_that_opens_a_session(house: House) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    token = client.cookies["tocsin_session"]
    with house.database.read() as connection:
        rows = connection.execute(select(web_session)).all()
    assert len(rows) == 1
    assert token not in str(rows)


def test_a_session_ends_when_it_was_not_used_for_half_a_day(house: House, later: Later) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    for _ in range(3):
        later(timedelta(hours=11))
        assert client.get("/feeds").status_code == 200
    later(timedelta(hours=12))
    assert client.get("/feeds").headers["location"] == "/sign-in"


def test_a_session_ends_after_a_week_however_much_it_is_used(house: House, later: Later) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    for _ in range(7 * 3 - 1):
        later(timedelta(hours=8))
        assert client.get("/feeds").status_code == 200
    later(timedelta(hours=8))
    assert client.get("/feeds").status_code == 303


def test_signing_out_ends_the_session_on_the_server(house: House) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    token = client.cookies["tocsin_session"]
    page = client.get("/feeds").text
    assert client.post("/sign-out", data={"form_token": form_token(page)}).status_code == 303
    stolen = house.client()
    stolen.cookies.set("tocsin_session", token)
    assert stolen.get("/feeds").status_code == 303


def test_a_withdrawn_role_ends_at_once(house: House) -> None:
    from alerts.people import withdraw_role
    from schemas.authorise import SYSTEM

    client = house.signed_in("officer", Role.ON_CALL)
    assert client.get("/feeds").status_code == 200
    with house.database.write() as connection:
        withdraw_role(connection, KENT, "officer", Role.ON_CALL, by=SYSTEM, now=house.clock.now())
    assert client.get("/feeds").status_code == 403


@pytest.mark.parametrize(
    ("secure", "wanted"),
    [
        (True, {"secure", "httponly", "samesite=lax", "path=/"}),
        (False, {"httponly", "samesite=lax", "path=/"}),
    ],
)
def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    house: House, secure: bool, wanted: set[str]
) -> None:
    from dataclasses import replace

    from tocsin.web.app import create_app

    house.services = replace(house.services, cookie_secure=secure)
    house.app = create_app(house.services)
    house.person("officer", Role.ON_CALL)
    cookie = house.client().post(link_for(house, "officer@example.org")).headers.get_list("set-cookie")[-1]
    name, *attributes = cookie.lower().split(";")
    assert wanted <= {attribute.strip() for attribute in attributes}
    assert name.startswith("__host-") == secure


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_sessions_own_token_changes_nothing(house: House, token: str) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    assert client.post("/sign-out", data={"form_token": token}).status_code == 403
    assert client.get("/feeds").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_form_that_another_site_sends_changes_nothing(house: House, headers: dict[str, str]) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    token = form_token(client.get("/feeds").text)
    assert client.post("/sign-out", data={"form_token": token}, headers=headers).status_code == 403
    assert client.post("/sign-in", data={"email": "officer@example.org"}, headers=headers).status_code == 403


def test_a_form_of_our_own_site_is_taken(house: House) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    token = form_token(client.get("/feeds").text)
    answer = client.post("/sign-out", data={"form_token": token}, headers={"origin": BASE_URL})
    assert answer.status_code == 303
