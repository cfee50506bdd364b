"""Acknowledging by the signed link of a message, without signing in.

Opening the link shows what the message said, in its own safe words, and a button; only the button acts, because mail
scanners open links. The link proves a mailbox, so it opens nothing else: no figures, no other incident, no session.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from alerts.acknowledge import acknowledge
from alerts.card import outside_card
from alerts.links import ACKNOWLEDGE_PATH, UnusableLinkError, read_acknowledge_token
from alerts.people import principal_of
from alerts.reading import get_incident
from alerts.telling import card_facts
from schemas.authorise import Action, Authentication, Forbidden, Principal, authorise
from schemas.incidents import Incident
from schemas.messages import OutsideCard
from tocsin.web.identity import FromOurOwnSite
from tocsin.web.incident_view import last_message, names_of
from tocsin.web.rendering import moment_words, render
from tocsin.web.services import Services, WebServices

router = APIRouter()

_NOT_YOURS = (
    "This link does not work any more: it was made for somebody who is no longer registered for this."
)
_GOT_WORSE = (
    "The incident got worse since you opened this page. Please read it again; nothing was recorded yet."
)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a link that works opens."""

    incident: Incident
    principal: Principal
    card: OutsideCard
    holders: tuple[str, ...]

    @property
    def done(self) -> str:
        """Why there is nothing to press, in a sentence; empty if there is something."""
        mine = next((item for item in self.incident.held_by if item.person == self.principal.person), None)
        if self.incident.closed_at is not None:
            return f"This incident was closed on {moment_words(self.incident.closed_at)}."
        if mine is not None:
            return f"You have it until {moment_words(mine.review_by)}. There is nothing more to do here."
        return ""


@router.get(ACKNOWLEDGE_PATH + "/{token}")
def show(request: Request, services: Services, token: str) -> Response:
    """Show what the message said, and the button; looking changes nothing."""
    try:
        with services.database.read() as connection:
            opened = _open(connection, services, token)
    except UnusableLinkError as problem:
        return _cannot(request, str(problem))
    return _page(request, token, opened)


@router.post(ACKNOWLEDGE_PATH + "/{token}", dependencies=[FromOurOwnSite])
def act(
    request: Request,
    services: Services,
    token: str,
    notice: Annotated[int | None, Form()] = None,
) -> Response:
    """Record that the person the link was made for has the incident."""
    now = services.clock.now()
    problem = ""
    try:
        with services.database.write() as connection:
            opened = _open(connection, services, token)
            if notice is not None and notice != opened.incident.notice:
                problem = _GOT_WORSE
            elif not opened.done:
                acknowledge(connection, opened.incident.id, opened.principal, now, desk=services.desk)
                opened = _open(connection, services, token)
    except UnusableLinkError as unusable:
        return _cannot(request, str(unusable))
    services.wake_sender()
    return _page(request, token, opened, problem=problem)


def _open(connection: Connection, services: WebServices, token: str) -> _Opened:
    """Return what the link opens.

    Raises
    ------
    UnusableLinkError
        With the sentence for whoever followed it.
    """
    now = services.clock.now()
    link = read_acknowledge_token(services.links, token, now)
    incident = get_incident(connection, link.incident_id)
    principal = principal_of(connection, services.desk, link.person, Authentication.EMAIL_LINK)
    if incident is None or principal is None:
        raise UnusableLinkError(_NOT_YOURS)
    try:
        authorise(principal, Action.VIEW_INCIDENTS, incident.jurisdiction)
        authorise(principal, Action.ACKNOWLEDGE, incident.jurisdiction)
    except Forbidden:
        raise UnusableLinkError(_NOT_YOURS) from None
    card = last_message(connection, incident.id, recipient=link.person)
    if card is None:
        card = outside_card(card_facts(connection, incident.id, now, desk=services.desk), named=True)
    others = {item.person for item in incident.held_by if item.person != principal.person}
    names = names_of(connection, others, services.desk)
    return _Opened(incident, principal, card, tuple(names.values()))


def _page(request: Request, token: str, opened: _Opened, *, problem: str = "") -> Response:
    context = {
        "token": token,
        "incident": opened.incident,
        "card": opened.card,
        "done": opened.done,
        "holders": opened.holders,
        "problem": problem,
    }
    return render(request, "acknowledge_link.html", context, status=409 if problem else 200)


def _cannot(request: Request, sentence: str) -> Response:
    context = {"title": "This link does not work", "sentence": sentence}
    return render(request, "message.html", context, status=410)
