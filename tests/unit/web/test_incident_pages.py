"""Incidents in the console, and the acknowledge link of a message."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import update

from alerts.audit import verify
from alerts.escalation import run_due
from alerts.links import acknowledge_url
from alerts.people import Shift, add_shift, withdraw_role
from alerts.reading import get_incident
from schemas.authorise import SYSTEM, Authentication, Role
from schemas.incidents import Incident, Phase
from schemas.signals import FeedEvidence
from schemas.tables import metadata
from schemas.tables.incidents import incident_escalation
from schemas.vocabulary import Feed
from streams import jurisdictions
from tests.unit.web.house import BASE_URL, ELSEWHERE, KENT, NOW, House, form_token, make_house
from tocsin.database import SqlDatabase

Later = Callable[[timedelta], None]


def press(client: httpx.Client, incident_id: str, what: str, **fields: object) -> httpx.Response:
    """Press a button of an incident's page, with the fields that its form carries."""
    page = client.get(f"/incidents/{incident_id}").text
    form = {"form_token": form_token(page)} | {name: str(value) for name, value in fields.items()}
    return client.post(f"/incidents/{incident_id}/{what}", data=form)


def read(house: House, incident_id: str) -> Incident:
    with house.database.read() as connection:
        found = get_incident(connection, incident_id)
    assert found is not None
    return found


def link_of(house: House, incident_id: str, person: str) -> str:
    url = acknowledge_url(house.services.links, incident_id, 1, person, house.clock.now())
    return url.removeprefix(BASE_URL)


# Signed in


def test_an_officer_sees_true_figures_sentences_and_who_was_told(house: House) -> None:
    officer = house.signed_in("officer", Role.ON_CALL)
    page = officer.get(f"/incidents/{house.incident()}").text
    assert "13 cases" in page
    assert "3 suspected deaths" in page
    assert "16 events in Thanet in 2 days where 0.49 were expected." in page
    assert "Incident opened" in page


def test_the_list_says_when_detection_is_not_whole(house: House) -> None:
    officer = house.signed_in("officer", Role.ON_CALL)
    assert "not whole" not in officer.get("/incidents").text
    with house.database.write() as connection:
        jurisdictions.ensure(connection, [KENT])
        state = jurisdictions.claim(connection, KENT, owner="run", now=NOW, lease=timedelta(minutes=5))
        assert state is not None
        jurisdictions.finish(
            connection, KENT, owner="run", clean_revision=state.dirty_revision, now=NOW, failed=["fusion"]
        )
    page = officer.get("/incidents").text
    assert "Detection is not whole" in page
    assert "Kent and Medway" in page


def test_a_viewer_sees_the_incident_and_no_figure_of_it(house: House) -> None:
    incident_id = house.incident()
    viewer = house.signed_in("viewer", Role.VIEWER)
    page = viewer.get(f"/incidents/{incident_id}").text
    assert "Thanet" in page
    assert "0.49" not in page
    assert not re.search(r"\b(13|16|3) (cases|events|suspected)", page)
    found = viewer.get("/api/v1/incidents").json()["incidents"][0]
    assert {"observed", "expected", "recurrence_interval_days"}.isdisjoint(found)


def test_incidents_as_json_hold_figures_for_those_who_may_see_them(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    found = officer.get("/api/v1/incidents").json()
    assert found["classification"] == "internal"
    assert (found["incidents"][0]["id"], found["incidents"][0]["observed"]) == (incident_id, 16)


def test_acknowledging_shows_who_has_it_and_undoing_takes_it_back(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    assert "Nobody has acknowledged" in officer.get("/incidents").text
    assert press(officer, incident_id, "acknowledge", notice=1).status_code == 303
    assert "Officer has it until" in officer.get(f"/incidents/{incident_id}").text
    assert "Officer has it" in officer.get("/incidents").text
    (mine,) = read(house, incident_id).held_by
    assert (mine.person, mine.authenticated_by) == ("officer", Authentication.SESSION)
    assert press(officer, incident_id, "undo", person="officer").status_code == 303
    found = read(house, incident_id)
    assert found.held_by == ()
    assert found.acknowledgements[0].undone_by == "officer"
    assert "Undone" in officer.get(f"/incidents/{incident_id}").text
    with house.database.read() as connection:
        assert verify(connection, KENT).holds


def test_only_a_coordinator_undoes_what_somebody_else_acknowledged(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    other = house.signed_in("other", Role.ON_CALL)
    coordinator = house.signed_in("coordinator", Role.COORDINATOR)
    press(officer, incident_id, "acknowledge")
    assert "Undo this" not in other.get(f"/incidents/{incident_id}").text
    assert press(other, incident_id, "undo", person="officer").status_code == 403
    assert "Undo this acknowledgement of Officer" in coordinator.get(f"/incidents/{incident_id}").text
    assert press(coordinator, incident_id, "undo", person="officer").status_code == 303


def test_what_got_worse_since_the_page_was_opened_is_not_acknowledged_unseen(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    with house.database.write() as connection:
        connection.execute(update(incident_escalation).values(notice=2))
    answer = press(officer, incident_id, "acknowledge", notice=1)
    assert answer.status_code == 409
    assert "got worse since you opened" in answer.text
    assert read(house, incident_id).acknowledgements == ()


def test_closing_wants_an_outcome_and_a_closed_incident_takes_no_acknowledgement(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    assert press(officer, incident_id, "close", outcome="").status_code == 409
    assert press(officer, incident_id, "close", outcome="nonsense").status_code == 409
    assert read(house, incident_id).phase is Phase.NEW
    assert press(officer, incident_id, "close", outcome="information_only").status_code == 303
    assert read(house, incident_id).phase is Phase.CLOSED
    answer = press(officer, incident_id, "acknowledge")
    assert answer.status_code == 409
    assert "was closed on" in answer.text
    assert ": information only." in officer.get(f"/incidents/{incident_id}").text


def test_the_list_puts_what_nobody_has_before_what_somebody_has(house: House) -> None:
    held = house.incident(areas=("E07000106",), key="a")
    waiting = house.incident(key="b")
    officer = house.signed_in("officer", Role.ON_CALL)
    press(officer, held, "acknowledge")
    page = officer.get("/incidents").text
    assert page.index(waiting) < page.index(held)


def test_the_list_holds_only_the_visitors_own_jurisdictions(house: House) -> None:
    house.incident()
    elsewhere = house.incident(ELSEWHERE)
    stranger = house.signed_in("stranger", Role.ON_CALL, place=ELSEWHERE)
    page = stranger.get("/incidents").text
    assert elsewhere in page
    assert page.count('class="card') == 1


def test_no_open_incident_is_never_called_calm(house: House) -> None:
    officer = house.signed_in("officer", Role.ON_CALL)
    page = officer.get("/incidents").text
    assert "No incident is open. Whether that means calm depends on what arrives" in page


def test_curve_and_map_are_pictures_for_those_who_see_figures(house: House) -> None:
    incident_id = house.incident()
    officer = house.signed_in("officer", Role.ON_CALL)
    page = officer.get(f"/incidents/{incident_id}").text
    pictures = re.findall(rf'src="(/incidents/{incident_id}/[^"]+\.svg)"', page)
    assert len(pictures) == 3
    for path in pictures:
        answer = officer.get(path)
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.text.startswith("<svg")
    assert officer.get(f"/incidents/{incident_id}/curve/drug-checking.svg").status_code == 404


def test_a_hostile_name_is_shown_as_text(house: House) -> None:
    officer = house.signed_in("officer", Role.ON_CALL)
    incident_id = house.incident(sentence="<script>alert(1)</script> & more")
    page = officer.get(f"/incidents/{incident_id}").text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


# By the link of a message


def test_opening_the_link_changes_nothing_and_pressing_the_button_acknowledges(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    path = link_of(house, incident_id, "officer")
    for _ in range(2):
        shown = house.client().get(path)
        assert shown.status_code == 200
        assert "I have it" in shown.text
        assert "set-cookie" not in shown.headers
    assert read(house, incident_id).acknowledgements == ()
    done = house.client().post(path, data={"notice": "1"})
    assert "You have it until" in done.text
    (mine,) = read(house, incident_id).held_by
    assert (mine.person, mine.authenticated_by) == ("officer", Authentication.EMAIL_LINK)


def test_a_link_that_was_used_says_so_and_offers_no_button(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    path = link_of(house, incident_id, "officer")
    for _ in range(2):
        house.client().post(path)
    shown = house.client().get(path)
    assert "You have it until" in shown.text
    assert "<button" not in shown.text
    assert len(read(house, incident_id).acknowledgements) == 1


def test_an_expired_link_says_so_in_one_sentence(house: House, later: Later) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    path = link_of(house, incident_id, "officer")
    later(timedelta(hours=24))
    for answer in (house.client().get(path), house.client().post(path)):
        assert answer.status_code == 410
        assert "This link has expired." in answer.text
        assert incident_id not in answer.text
    assert read(house, incident_id).acknowledgements == ()


def test_a_link_for_somebody_who_lost_the_role_opens_nothing(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    path = link_of(house, incident_id, "officer")
    with house.database.write() as connection:
        withdraw_role(connection, KENT, "officer", Role.ON_CALL, by=SYSTEM, now=house.clock.now())
    for answer in (house.client().get(path), house.client().post(path)):
        assert answer.status_code == 410
        assert "Thanet" not in answer.text


def test_a_tampered_link_opens_nothing(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    path = link_of(house, house.incident(), "officer")
    assert house.client().post(path[:-4] + "AAAA").status_code == 410


def test_the_link_does_not_acknowledge_what_got_worse_meanwhile(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    path = link_of(house, incident_id, "officer")
    with house.database.write() as connection:
        connection.execute(update(incident_escalation).values(notice=2))
    answer = house.client().post(path, data={"notice": "1"})
    assert answer.status_code == 409
    assert read(house, incident_id).acknowledgements == ()


def test_the_link_signs_nobody_in(house: House) -> None:
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    client = house.client()
    client.post(link_of(house, incident_id, "officer"))
    assert client.get(f"/incidents/{incident_id}").status_code == 303


def test_the_sender_is_woken_for_the_quiet_word_to_the_others(house: House) -> None:
    from dataclasses import replace

    from tocsin.web.app import create_app

    woken: list[bool] = []
    house.services = replace(house.services, wake_sender=lambda: woken.append(True))
    house.app = create_app(house.services)
    house.person("officer", Role.ON_CALL)
    incident_id = house.incident()
    house.client().post(link_of(house, incident_id, "officer"))
    assert woken


# What nobody may learn from outside


SMALL = re.compile(r"(?<![\d-])[1-7](?![\d-])")


def words_of(page: str) -> str:
    """What a page says: without its tags, addresses, dates, times and identifiers."""
    text = re.sub(r"<(head|form)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    text = re.sub(r"[A-Z]{1,12}-\d{4}-\d{4}|\b\d{1,2} [A-Z][a-z]{2} \d{4}|\b\d{1,2}:\d\d\b", " ", text)
    # What every card says whatever the count: a window's length, the look-back, the words for a small count.
    return re.sub(r"fewer than 8|in the \d+ days? to|none in \d+ days", " ", text)


def pages_for_somebody_signed_out(house: House, observed: int) -> dict[str, str]:
    """What can be seen without signing in, the link of a message included, of an incident of so many."""
    house.person("officer", Role.ON_CALL)
    shift = Shift(KENT, "officer", NOW - timedelta(hours=1), NOW + timedelta(hours=8))
    with house.database.write() as connection:
        add_shift(connection, shift, by=SYSTEM, now=NOW)
    part = FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=observed, expected=0.43)
    sentence = f"{observed} events where 0.43 were expected."
    incident_id = house.incident(feeds=(part,), observed=observed, sentence=sentence, serious_outcome=False)
    house.clock.move_to(NOW + timedelta(hours=6))  # a single feed rings in the morning
    run_due(house.database, house.clock.now(), desk=house.services.desk)
    link = link_of(house, incident_id, "officer")
    paths = {"link": link, "incident": f"/incidents/{incident_id}", "feeds": "/feeds", "nowhere": "/nowhere"}
    pages = {name: house.client().get(path).text for name, path in paths.items()}
    return pages | {"acknowledged": house.client().post(link).text}


def test_no_page_for_somebody_signed_out_tells_a_count_of_one_to_seven(tmp_path: Path) -> None:
    seen = []
    for observed in range(1, 8):
        database = SqlDatabase(f"sqlite:///{tmp_path / str(observed)}.db")
        metadata.create_all(database.engine)
        pages = pages_for_somebody_signed_out(make_house(database), observed)
        database.close()
        assert "Ambulance naloxone: fewer than 8 cases" in pages["link"]
        assert {name: SMALL.findall(words_of(page)) for name, page in pages.items()} == {
            name: [] for name in pages
        }
        assert not any("0.43" in page for page in pages.values())
        seen.append(pages)
    assert all(pages == seen[0] for pages in seen)


def test_the_check_above_would_find_a_count() -> None:
    assert SMALL.findall(words_of("<p>Naloxone: 3 cases in the 2 days to Mon 02:00, KM-2018-0001.</p>")) == [
        "3"
    ]
