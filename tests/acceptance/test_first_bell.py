"""The first bell: from three records sent by a partner to an incident that people have acknowledged, all of it real.

The service in its own process, a real mail server, a browser without JavaScript, and commands typed on the host.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from alerts.people import Person
from schemas.clock import LONDON
from tests.acceptance.real_service import OFFICER, SECOND, Service, link_in, text_of

pytestmark = pytest.mark.real

SCENE = "keyed-hash-of-an-address-0001"


def casualties(number: int) -> str:
    """People at one address within an hour, the last some minutes ago."""
    now = datetime.now(UTC)
    return "\n".join(
        json.dumps(
            {
                "event_id": f"call-{n}",
                "source": {"organisation": "secamb"},
                "occurred_at": (now - timedelta(minutes=50 - 10 * n)).isoformat(),
                "areas": {"event": "E07000114"},
                "scene": SCENE,
                "subject": f"keyed-hash-of-a-person-{n:04d}",
                "doses": [{"given_by": "ambulance"}],
            }
        )
        for n in range(number)
    )


def incidents(service: Service) -> list[dict[str, Any]]:
    done = service.cli("incidents", "list", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["incidents"]
    return found


def acknowledgements(service: Service) -> list[dict[str, Any]]:
    (incident,) = incidents(service)
    return list(incident["acknowledgements"])


def sign_in(browser: httpx.Client, service: Service, person: Person) -> str:
    """Sign somebody in by the link that is mailed to them; return the link."""
    assert browser.post("/sign-in", data={"email": str(person.email)}).status_code == 200
    link = link_in(service.mail.wait_for(person, "/sign-in"), "/sign-in")
    assert browser.get(link).status_code == 200, "looking at the link must show a button"
    assert browser.get("/incidents").status_code == 303, "looking at the link must not sign anybody in"
    assert browser.post(link).status_code == 303
    return link


@pytest.fixture
def browser(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as made:
        yield made


def test_three_casualties_at_one_address_become_a_page_that_people_acknowledge_undo_and_take_over(
    service: Service, browser: httpx.Client
) -> None:
    service.identifying |= {SCENE, "keyed-hash-of-a-person", "call-0", "call-1", "call-2"}
    service.start()
    service.wait_until_ready()
    answer = service.send(casualties(3))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)
    link = the_officer_is_paged_in_safe_words(service)
    number = only_pressing_the_button_of_the_link_acknowledges(service, link)
    undone_on_the_host_the_round_goes_on(service, number)
    acknowledged_on_the_host_it_is_recorded_as_shell_access(service, number)
    used = a_colleague_takes_it_over_in_the_console(service, browser, number)
    the_sign_in_link_works_once(service, used)
    the_trail_says_who_did_what_and_how(service, number)
    service.wait_until_settled()
    service.stop()
    service.identifying |= {link.rpartition("/")[2], used.rpartition("/")[2]}


def the_officer_is_paged_in_safe_words(service: Service) -> str:
    page = service.mail.wait_for(OFFICER, "/acknowledge")
    words = text_of(page)
    assert page["Subject"].startswith("PAGE")
    assert "Thanet" in words
    assert "fewer than 8" in words
    assert not re.search(r"\b3 (?:cases|people|casualties|events)", words), "a small number left the house"
    assert SCENE not in page.as_string()
    assert service.mail.to(SECOND) == [], "somebody who is not on call was woken"
    return link_in(page, "/acknowledge")


def only_pressing_the_button_of_the_link_acknowledges(service: Service, link: str) -> str:
    for _ in range(2):  # as mail scanners do
        shown = httpx.get(link, timeout=60)
        assert shown.status_code == 200
        assert "I have it" in shown.text
    assert acknowledgements(service) == [], "looking acknowledged it"
    done = httpx.post(link, timeout=60)
    assert "You have it until" in done.text
    assert "I have it" not in done.text
    (mine,) = acknowledgements(service)
    assert (mine["person"], mine["authenticated_by"]) == (OFFICER.id, "email_link")
    again = httpx.post(link, timeout=60)
    assert "There is nothing more to do here." in again.text
    assert len(acknowledgements(service)) == 1, "pressing twice recorded it twice"
    (incident,) = incidents(service)
    assert (incident["tier"], incident["phase"]) == ("page", "acknowledged")
    return str(incident["id"])


def undone_on_the_host_the_round_goes_on(service: Service, number: str) -> None:
    undone = service.cli("unack", number, "--as", OFFICER.id)
    assert undone.returncode == 0, undone.stderr
    assert "no longer has" in undone.stdout
    service.mail.wait_for(OFFICER, "/acknowledge", 2)
    (mine,) = acknowledgements(service)
    assert mine["undone_by"] == OFFICER.id
    nothing = service.cli("unack", number, "--as", OFFICER.id)
    assert nothing.returncode == 1
    assert nothing.stderr == f"{OFFICER.id} has no acknowledgement of {number} that could be undone.\n"


def acknowledged_on_the_host_it_is_recorded_as_shell_access(service: Service, number: str) -> None:
    assert "Nobody called mallory is known" in service.cli("ack", number, "--as", "mallory").stderr
    taken = service.cli("ack", number, "--as", OFFICER.id)
    assert taken.returncode == 0, taken.stderr
    assert [(one["person"], one["authenticated_by"]) for one in acknowledgements(service)] == [
        (OFFICER.id, "email_link"),
        (OFFICER.id, "shell"),
    ]


def a_colleague_takes_it_over_in_the_console(service: Service, browser: httpx.Client, number: str) -> str:
    used = sign_in(browser, service, SECOND)
    assert number in browser.get("/incidents").text
    shown = browser.get(f"/incidents/{number}").text
    assert f"{OFFICER.name} has it until" in shown
    assert "3 cases" in shown, "inside, the true figure is shown"
    form = dict(re.findall(r'name="(form_token|notice)" value="(\w+)"', shown))
    address = f"/incidents/{number}/acknowledge"
    for wrong in ({}, {"form_token": "0" * 64}):
        assert browser.post(address, data={"notice": form["notice"], **wrong}).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example.org"}
    assert browser.post(address, data=form, headers=elsewhere).status_code == 403
    assert len(acknowledgements(service)) == 2, "a form that another site sent was obeyed"
    assert browser.post(address, data=form).status_code == 303
    shown = browser.get(f"/incidents/{number}").text
    assert f"{SECOND.name} has it until" in shown
    last = acknowledgements(service)[-1]
    assert (last["person"], last["authenticated_by"]) == (SECOND.id, "session")
    at = datetime.fromisoformat(last["acknowledged_at"]).astimezone(LONDON)
    assert re.search(rf"{at:%H:%M}", shown), "the page says when"
    return used


def the_sign_in_link_works_once(service: Service, used: str) -> None:
    second_use = httpx.post(used, timeout=60)
    assert second_use.status_code == 410
    assert "This sign-in link was used already. Ask for a new one." in second_use.text
    stranger = httpx.post(f"{service.url}/sign-in", data={"email": "mallory@example.org"}, timeout=60)
    known = httpx.post(f"{service.url}/sign-in", data={"email": str(SECOND.email)}, timeout=60)
    assert (stranger.status_code, stranger.text) == (known.status_code, known.text)


def the_trail_says_who_did_what_and_how(service: Service, number: str) -> None:
    verified = service.cli("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "whole" in verified.stdout
    trail = service.cli("audit", "list", "--incident", number).stdout
    for how in ("email_link", "shell", "session"):
        assert re.search(rf"\b{how}\s+acknowledged\b", trail), trail
    assert re.search(r"\bshell\s+acknowledgement_undone\b", trail), trail


def test_after_a_restart_nothing_is_sent_twice_and_the_link_still_works(service: Service) -> None:
    service.start()
    service.wait_until_ready()
    service.send(casualties(3))
    service.mail.wait_for(OFFICER, "/acknowledge")
    service.wait_until_settled()
    service.stop()
    assert len(service.mail.to(OFFICER)) == 1

    service.start()
    service.wait_until_ready()
    link = link_in(service.mail.wait_for(OFFICER, "/acknowledge"), "/acknowledge")
    assert "You have it until" in httpx.post(link, timeout=60).text, (
        "a link outlives the process that made it"
    )
    service.wait_until_settled()
    service.stop()
    assert len(service.mail.to(OFFICER)) == 1, "what was sent before is not sent again"
