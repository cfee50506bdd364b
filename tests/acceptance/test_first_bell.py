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

    # The partner sends; the officer on call is paged, in words that give no small number and no place below the district.
    answer = service.send(casualties(3))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)
    page = service.mail.wait_for(OFFICER, "/acknowledge")
    words = text_of(page)
    assert page["Subject"].startswith("PAGE")
    assert "Thanet" in words
    assert "fewer than 8" in words
    assert not re.search(r"\b3 (?:cases|people|casualties|events)", words)
    assert SCENE not in page.as_string()
    assert service.mail.to(SECOND) == [], "somebody who is not on call was woken"

    # The link in the e-mail: looking changes nothing, however often a mail scanner does it.
    link = link_in(page, "/acknowledge")
    for _ in range(2):
        shown = httpx.get(link, timeout=60)
        assert shown.status_code == 200
        assert "I have it" in shown.text
    assert httpx.head(link, timeout=60).status_code < 500
    assert acknowledgements(service) == []
    done = httpx.post(link, timeout=60)
    assert "You have it until" in done.text
    assert "I have it" not in done.text
    (mine,) = acknowledgements(service)
    assert (mine["person"], mine["authenticated_by"]) == (OFFICER.id, "email_link")
    again = httpx.post(link, timeout=60)
    assert "There is nothing more to do here." in again.text
    assert len(acknowledgements(service)) == 1, "pressing twice recorded it twice"
    (incident,) = incidents(service)
    number = incident["id"]
    assert (incident["tier"], incident["phase"]) == ("page", "acknowledged")

    # Undone on the host: the round goes on at once, and the officer is told again.
    undone = service.cli("unack", number, "--as", OFFICER.id)
    assert undone.returncode == 0, undone.stderr
    assert "no longer has" in undone.stdout
    service.mail.wait_for(OFFICER, "/acknowledge", 2)
    (mine,) = acknowledgements(service)
    assert mine["undone_by"] == OFFICER.id
    nothing = service.cli("unack", number, "--as", OFFICER.id)
    assert nothing.returncode == 1
    assert nothing.stderr == f"{OFFICER.id} has no acknowledgement of {number} that could be undone.\n"

    # Acknowledged on the host: by a person, recorded as shell access; by nobody unknown.
    assert "Nobody called mallory is known" in service.cli("ack", number, "--as", "mallory").stderr
    taken = service.cli("ack", number, "--as", OFFICER.id)
    assert taken.returncode == 0, taken.stderr
    assert [(one["person"], one["authenticated_by"]) for one in acknowledgements(service)] == [
        (OFFICER.id, "email_link"),
        (OFFICER.id, "shell"),
    ]

    # A colleague signs in, sees who has it and how, and takes it over in the console.
    used = sign_in(browser, service, SECOND)
    assert number in browser.get("/incidents").text
    shown = browser.get(f"/incidents/{number}")
    assert f"{OFFICER.name} has it until" in shown.text
    assert "3 cases" in shown.text, "inside, the true figure is shown"
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', shown.text)
    notice = re.search(r'name="notice" value="(\d+)"', shown.text)
    assert found
    assert notice
    address = f"/incidents/{number}/acknowledge"
    assert browser.post(address, data={"notice": notice[1]}).status_code == 403, "without the form's token"
    assert browser.post(address, data={"notice": notice[1], "form_token": "0" * 64}).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example.org"}
    form = {"notice": notice[1], "form_token": found[1]}
    assert browser.post(address, data=form, headers=elsewhere).status_code == 403, "from another site"
    assert len(acknowledgements(service)) == 2
    assert browser.post(address, data=form).status_code == 303
    shown = browser.get(f"/incidents/{number}")
    assert f"{SECOND.name} has it until" in shown.text
    last = acknowledgements(service)[-1]
    assert (last["person"], last["authenticated_by"]) == (SECOND.id, "session")
    assert last["acknowledged_at"]

    # The sign-in link works once; a stranger's address gets the same answer and no e-mail.
    second_use = httpx.post(used, timeout=60)
    assert second_use.status_code == 410
    assert "This sign-in link was used already. Ask for a new one." in second_use.text
    stranger = httpx.post(f"{service.url}/sign-in", data={"email": "mallory@example.org"}, timeout=60)
    known = httpx.post(f"{service.url}/sign-in", data={"email": str(SECOND.email)}, timeout=60)
    assert (stranger.status_code, stranger.text) == (known.status_code, known.text)

    # What happened stands in a trail that nobody can rewrite unseen.
    verified = service.cli("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "whole" in verified.stdout
    trail = service.cli("audit", "list", "--incident", number).stdout
    for how in ("email_link", "shell", "session"):
        assert re.search(rf"\b{how}\s+acknowledged\b", trail), trail
    assert re.search(r"\bshell\s+acknowledgement_undone\b", trail), trail
    service.wait_until_settled()
    service.stop()
    service.identifying |= {link.rpartition("/")[2], used.rpartition("/")[2]}


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
