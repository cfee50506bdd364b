"""Every route of the application against every role: who is let in, who is sent to sign in, who is refused.

The routes are read from the application itself: a route that the table below does not name fails the first test, so that
nobody can add one without saying who may use it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from alerts.audit import verify
from schemas.authorise import MATRIX, Action, Role
from schemas.tables import metadata
from schemas.tables.incidents import incident_decision
from schemas.vocabulary import Delivery, Feed
from streams import quarantine
from streams.quarantine import QuarantineItem
from tests.unit.web.house import ELSEWHERE, KENT, House, form_token, make_house
from tocsin.database import SqlDatabase

ANYBODY = "anybody"
"""Public: it shows nothing of what happened to anyone."""
SIGNED_IN = "signed in"
KEY = "key"
OPERATORS = "metrics"


@dataclass(frozen=True)
class Rule:
    """Who may use a route, and how to ask for it."""

    who: str | Action
    form: Mapping[str, str] | None = None
    of_one: bool = False
    """Whether its address names something that belongs to one jurisdiction."""


ROUTES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/"): Rule(ANYBODY),
    ("GET", "/sign-in"): Rule(ANYBODY),
    ("POST", "/sign-in"): Rule(ANYBODY, {"email": "a@example.org"}),
    ("GET", "/sign-in/{link}"): Rule(ANYBODY),
    ("POST", "/sign-in/{link}"): Rule(ANYBODY, {}),
    ("GET", "/acknowledge/{token}"): Rule(ANYBODY),
    ("POST", "/acknowledge/{token}"): Rule(ANYBODY, {}),
    ("GET", "/static/{name}"): Rule(ANYBODY),
    ("GET", "/healthz"): Rule(ANYBODY),
    ("GET", "/readyz"): Rule(ANYBODY),
    ("GET", "/metrics"): Rule(OPERATORS),
    ("POST", "/api/v1/feeds/{feed}/events"): Rule(KEY, {}),
    ("POST", "/sign-out"): Rule(SIGNED_IN, {}),
    ("GET", "/incidents"): Rule(Action.VIEW_INCIDENTS),
    ("GET", "/api/v1/incidents"): Rule(Action.VIEW_INCIDENTS),
    ("GET", "/incidents/{incident_id}"): Rule(Action.VIEW_INCIDENTS, of_one=True),
    ("GET", "/incidents/{incident_id}/curve/{feed}.svg"): Rule(Action.SEE_FIGURES, of_one=True),
    ("GET", "/incidents/{incident_id}/map.svg"): Rule(Action.SEE_FIGURES, of_one=True),
    ("POST", "/incidents/{incident_id}/acknowledge"): Rule(Action.ACKNOWLEDGE, {}, of_one=True),
    ("POST", "/incidents/{incident_id}/undo"): Rule(
        Action.UNDO_ANOTHERS, {"person": "somebody-else"}, of_one=True
    ),
    ("POST", "/incidents/{incident_id}/close"): Rule(
        Action.CLOSE_INCIDENT, {"outcome": "no_action"}, of_one=True
    ),
    ("GET", "/feeds"): Rule(Action.VIEW_FEEDS),
    ("GET", "/quarantine"): Rule(Action.VIEW_QUARANTINE),
    ("GET", "/quarantine/{number}"): Rule(Action.VIEW_QUARANTINE, of_one=True),
    ("POST", "/quarantine/{number}/release"): Rule(Action.DECIDE_QUARANTINE, {}, of_one=True),
    ("POST", "/quarantine/{number}/discard"): Rule(Action.DECIDE_QUARANTINE, {"note": "a test"}, of_one=True),
    ("GET", "/audit"): Rule(Action.VIEW_AUDIT),
}

ASKED = {key: rule for key, rule in ROUTES.items() if isinstance(rule.who, Action)}
OF_ONE = {key: rule for key, rule in ASKED.items() if rule.of_one}


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    database = SqlDatabase(database_url)
    metadata.create_all(database.engine)
    yield make_house(database)
    database.close()


def things_of(house: House) -> dict[str, object]:
    """An incident and a quarantined record of Kent and Medway: what the addresses name."""
    item = QuarantineItem(
        place="line 1",
        reason_code="invalid",
        reason="event_id is missing.",
        body='{"feed": "ambulance-naloxone"}',
        body_complete=True,
        feed=Feed.AMBULANCE_NALOXONE,
        jurisdiction=KENT,
        origin="key:test",
        received_at=house.clock.now(),
        delivery=Delivery.LIVE,
    )
    with house.database.write() as connection:
        quarantine.put(connection, [item], house.clock.now())
        number = quarantine.waiting(connection)[0].id
    return {"incident_id": house.incident(), "number": number}


def ask(client: httpx.Client, route: tuple[str, str], things: Mapping[str, object]) -> httpx.Response:
    """Ask for a route as a browser would, with the form's token if somebody is signed in."""
    method, template = route
    path = template.format(**{"feed": "ambulance-naloxone", "link": "x", "token": "x", "name": "x", **things})
    if method == "GET":
        return client.get(path)
    # Any page carries the token, a refusal too.
    page = client.get("/quarantine").text
    token = form_token(page) if 'name="form_token"' in page else ""
    return client.post(path, data={**(ROUTES[route].form or {}), "form_token": token})


def routes_under(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Every method and template; a route of a kind not known here (a mounted application, say) is an error."""
    for route in routes:
        if included := getattr(route, "original_router", None):
            yield from routes_under(included.routes)
        else:
            yield from ((method, route.path) for method in route.methods if method != "HEAD")


def test_every_route_of_the_application_is_in_the_table(house: House) -> None:
    assert sorted(routes_under(house.app.routes)) == sorted(ROUTES)


def test_every_route_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
    assert [path for _, path in ROUTES if f"{path}`" not in page] == []


def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(house: House) -> None:
    things = things_of(house)
    wrong = {}
    for route in ASKED:
        answer = ask(house.client(), route, things)
        got = (answer.status_code, answer.headers.get("location"))
        if got != ((401, None) if route[1].startswith("/api/") else (303, "/sign-in")):
            wrong[route] = got
    assert wrong == {}


@pytest.mark.parametrize("role", Role, ids=str)
def test_a_route_opens_to_the_roles_that_the_matrix_allows_and_to_no_other(house: House, role: Role) -> None:
    things = things_of(house)
    client = house.signed_in("somebody", role)
    wrong = {}
    for route, rule in ASKED.items():
        answer = ask(client, route, things)
        refused = answer.status_code == 403 and "Thanet" not in answer.text
        opened = answer.status_code not in (401, 403, 404, 500)
        if not (opened if rule.who in MATRIX[role] else refused):
            wrong[route] = answer.status_code
    assert wrong == {}


def test_what_belongs_to_another_jurisdiction_does_not_exist(house: House) -> None:
    things = things_of(house)
    client = house.signed_in("stranger", *Role, place=ELSEWHERE)
    answers = {route: ask(client, route, things) for route in OF_ONE}
    assert {route: answer.status_code for route, answer in answers.items()} == dict.fromkeys(OF_ONE, 404)
    assert not any(str(things["incident_id"]) in answer.text for answer in answers.values())


def test_refused_commands_leave_no_trace(house: House) -> None:
    things = things_of(house)
    stranger = house.signed_in("stranger", *Role, place=ELSEWHERE)
    viewer = house.signed_in("viewer", Role.VIEWER)
    for client in (house.client(), stranger, viewer):
        for route in ASKED:
            if route[0] == "POST":
                assert ask(client, route, things).status_code in (303, 403, 404)
    with house.database.read() as connection:
        assert connection.execute(select(incident_decision)).all() == []
        assert quarantine.get(connection, int(str(things["number"]))).state == "waiting"
        assert verify(connection, KENT).holds


def test_the_public_routes_answer_without_a_sign_in(house: House) -> None:
    things = things_of(house)
    for route, rule in ROUTES.items():
        if rule.who is ANYBODY:
            assert ask(house.client(), route, things).status_code not in (401, 403, 500)


def test_signing_out_asks_for_a_sign_in(house: House) -> None:
    assert ask(house.client(), ("POST", "/sign-out"), {}).headers["location"] == "/sign-in"


def test_the_ingest_route_asks_for_a_key_and_no_role_opens_it(house: House) -> None:
    client = house.signed_in("somebody", *Role)
    assert ask(client, ("POST", "/api/v1/feeds/{feed}/events"), {}).status_code == 401


def test_metrics_are_read_on_the_host_or_with_the_token_and_no_role_opens_them(house: House) -> None:
    somebody = house.signed_in("somebody", *Role)
    assert somebody.get("/metrics").status_code == 401
    assert house.client("127.0.0.1").get("/metrics").status_code == 200
    assert house.client("::1").get("/metrics").status_code == 200
    shown = {"Authorization": "Bearer the-metrics-token"}
    assert house.client().get("/metrics", headers=shown).status_code == 200
    wrong = {"Authorization": "Bearer another-token"}
    assert house.client().get("/metrics", headers=wrong).status_code == 401


def test_a_request_that_came_through_a_proxy_on_this_host_is_not_of_this_host(house: House) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.9"}
    assert house.client("127.0.0.1").get("/metrics", headers=forwarded).status_code == 401
