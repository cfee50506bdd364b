"""Sign-in by a one-time link: ask by e-mail address, follow the link, press the button.

The answer to an address is the same whether we know it or not, and is given before anything is looked up, so that
neither its words nor its time say who is registered. Opening a link shows a button and only the button acts, because
mail scanners open links. A link is signed, works for some minutes and once; it is never stored.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, BackgroundTasks, Form, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, delete, func, insert, select

from alerts.people import Person, find_by_email, find_person, spend_link
from alerts.settings import LinkSettings
from schemas.tables.web import sign_in_request
from tocsin.web import sessions
from tocsin.web.addresses import INCIDENTS, SIGN_IN, is_worth_returning_to
from tocsin.web.errors import NEXT_COOKIE
from tocsin.web.identity import (
    FromOurOwnSite,
    MaybeSignedIn,
    SentOnPurpose,
    SignedIn,
    give_cookie,
    take_cookie,
)
from tocsin.web.rendering import render
from tocsin.web.services import Services, WebServices

log = structlog.get_logger(__name__)
router = APIRouter()

PURPOSE = "sign_in"
MOST_LINKS = 5
"""Sign-in links that one person is sent in any quarter of an hour: nobody can flood a mailbox through us."""
_WITHIN = timedelta(minutes=15)
_LONGEST_ADDRESS = 254

USED = "This sign-in link was used already. Ask for a new one."
EXPIRED = "This sign-in link has expired. Ask for a new one."
NOT_OURS = "This sign-in link is not complete. Copy it whole from the e-mail, or ask for a new one."


class UnusableLink(Exception):  # noqa: N818 (what the visitor is told)
    """A sign-in link that opens nothing; its words are for the visitor."""


def sign_in_url(links: LinkSettings, person: str, now: datetime) -> tuple[str, datetime]:
    """Return a link that signs ``person`` in once, and the moment until which it works."""
    expires_at = now + timedelta(minutes=links.sign_in_minutes)
    made = {"person": person, "until": int(expires_at.timestamp()), "once": secrets.token_urlsafe(16)}
    return f"{links.base_url.rstrip('/')}{SIGN_IN}/{_serializer(links).dumps(made)}", expires_at


@router.get("/")
def home() -> Response:
    """Bring the visitor to the incidents."""
    return RedirectResponse(INCIDENTS, 303)


@router.get(SIGN_IN)
def ask(request: Request, visitor: MaybeSignedIn) -> Response:
    """Show the form that asks for an e-mail address."""
    if visitor is not None:
        return RedirectResponse(INCIDENTS, 303)
    return render(request, "sign_in.html", {})


@router.post(SIGN_IN, dependencies=[FromOurOwnSite])
def send_link(
    request: Request,
    services: Services,
    after: BackgroundTasks,
    email: Annotated[str, Form()] = "",
) -> Response:
    """Say that a link is on its way if the address is known, and only then look."""
    if "@" not in email or len(email) > _LONGEST_ADDRESS:
        sentence = "That is not an e-mail address; it should look like name@example.org."
        return render(request, "sign_in.html", {"problem": sentence}, status=400)
    after.add_task(_send_if_known, services, email)
    # The connection ends with the answer: how long the next request on it waited would say whether a link was mailed.
    headers = {"Connection": "close"}
    answer = render(
        request, "sign_in_sent.html", {"minutes": services.links.sign_in_minutes}, headers=headers
    )
    answer.background = after
    return answer


@router.get(SIGN_IN + "/{link}")
def show_link(request: Request, services: Services, link: str) -> Response:
    """Show the button of a sign-in link; looking at it uses nothing up."""
    try:
        _open(services, link)
    except UnusableLink as problem:
        return render(request, "sign_in.html", {"problem": str(problem)}, status=410)
    return render(request, "sign_in_link.html", {"link": link})


@router.post(SIGN_IN + "/{link}", dependencies=[FromOurOwnSite])
def follow_link(request: Request, services: Services, link: str) -> Response:
    """Sign in, if the link still works."""
    now = services.clock.now()
    try:
        opened = _open(services, link)
        with services.database.write() as connection:
            token = _use(connection, services, opened, now)
    except UnusableLink as problem:
        return render(request, "sign_in.html", {"problem": str(problem)}, status=410)
    wanted = request.cookies.get(NEXT_COOKIE, "")
    answer = RedirectResponse(wanted if is_worth_returning_to(wanted) else INCIDENTS, 303)
    answer.delete_cookie(NEXT_COOKIE, path="/")
    give_cookie(answer, services, token)
    return answer


@router.post("/sign-out", dependencies=[*SentOnPurpose])
def sign_out(services: Services, visitor: SignedIn) -> Response:
    """End the session."""
    with services.database.write() as connection:
        sessions.end(connection, visitor.session)
    answer = RedirectResponse(SIGN_IN, 303)
    take_cookie(answer, services)
    return answer


def _send_if_known(services: WebServices, email: str) -> None:
    """Mail a link to a known person, unless they were sent several just now."""
    now = services.clock.now()
    with services.database.read() as connection:
        person = find_by_email(connection, email) or _fallback(services, email)
    if person is None:
        return
    with services.database.write() as connection:
        if not _may_send(connection, person.id, now):
            return
    url, expires_at = sign_in_url(services.links, person.id, now)
    try:
        services.send_sign_in_link(person, url, expires_at)
    except Exception:
        # The visitor was answered; they will ask again. The operator must see why nothing came.
        log.exception("web.sign_in_link_not_sent")


def _fallback(services: WebServices, email: str) -> Person | None:
    contact = services.desk.settings.fallback
    if contact.email is None or contact.email.casefold() != email.strip().casefold():
        return None
    return Person(contact.person, contact.name, contact.email)


def _may_send(connection: Connection, person: str, now: datetime) -> bool:
    asked = sign_in_request.c
    connection.execute(delete(sign_in_request).where(asked.asked_at < now - timedelta(days=1)))
    recent = select(func.count()).where(asked.person == person, asked.asked_at > now - _WITHIN)
    if connection.execute(recent).scalar_one() >= MOST_LINKS:
        return False
    same = select(func.count()).where(asked.person == person, asked.asked_at == now)
    if connection.execute(same).scalar_one() == 0:
        connection.execute(insert(sign_in_request).values(person=person, asked_at=now))
    return True


def _use(connection: Connection, services: WebServices, link: "_Link", now: datetime) -> str:
    """Use a link up and start a session; return the value for the cookie."""
    if find_person(connection, services.desk, link.person) is None:
        raise UnusableLink(NOT_OURS)
    # Not a hash of the link: the same signature can be spelt in several ways.
    name = hashlib.sha256(link.once.encode()).hexdigest()
    if not spend_link(connection, name, PURPOSE, now=now, expires_at=link.expires_at):
        raise UnusableLink(USED)
    sessions.forget_expired(connection, now, idle=services.session_idle)
    return sessions.start(connection, link.person, now, longest=services.session_longest)


@dataclass(frozen=True, slots=True)
class _Link:
    """What a sign-in link says."""

    person: str
    expires_at: datetime
    once: str


def _open(services: WebServices, link: str) -> _Link:
    """Return what a link that still works says."""
    try:
        made = _serializer(services.links).loads(link)
        person, until, once = str(made["person"]), int(made["until"]), str(made["once"])
    except (BadSignature, KeyError, TypeError, ValueError):
        raise UnusableLink(NOT_OURS) from None
    now = services.clock.now()
    expires_at = datetime.fromtimestamp(until, tz=now.tzinfo)
    if now >= expires_at:
        raise UnusableLink(EXPIRED)
    return _Link(person, expires_at, once)


def _serializer(links: LinkSettings) -> URLSafeSerializer:
    return URLSafeSerializer(links.secret.get_secret_value(), salt=PURPOSE)
