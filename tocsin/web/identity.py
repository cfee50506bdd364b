"""Who is asking: from the cookie to a principal, and the two proofs that a form was sent on purpose.

Every page that is not public depends on :data:`SignedIn`; every form on :func:`sent_on_purpose` too. Roles are read
afresh on each request, so that a withdrawn role ends at once. Nothing here decides what a role allows: that is
``schemas.authorise``.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request, Response
from starlette.exceptions import HTTPException

from alerts.people import find_person, principal_of
from schemas.authorise import Action, Authentication, Forbidden, Principal, authorise, may
from schemas.vocabulary import Jurisdiction
from tocsin.web import sessions
from tocsin.web.errors import NotSignedIn
from tocsin.web.services import Services, WebServices


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    name: str
    principal: Principal
    session: sessions.Session
    form_token: str

    def may_anywhere(self, action: str) -> bool:
        """Whether they may do something in at least one jurisdiction (templates ask this for their menu)."""
        return any(may(self.principal, Action(action), place) for place in self.principal.roles)

    def may_in(self, action: str, jurisdiction: Jurisdiction) -> bool:
        """Whether they may do something in one jurisdiction (templates ask this before they show a form)."""
        return may(self.principal, Action(action), jurisdiction)


def session_cookie(services: WebServices) -> str:
    """Return the cookie's name; the prefix makes browsers refuse it from any other host or path."""
    return "__Host-tocsin" if services.cookie_secure else "tocsin_session"


def give_cookie(answer: Response, services: WebServices, token: str) -> None:
    """Put a session's value in the visitor's cookie."""
    answer.set_cookie(
        session_cookie(services),
        token,
        max_age=int(services.session_longest.total_seconds()),
        path="/",
        secure=services.cookie_secure,
        httponly=True,
        samesite="lax",
    )


def take_cookie(answer: Response, services: WebServices) -> None:
    """Remove the cookie."""
    answer.delete_cookie(
        session_cookie(services), path="/", secure=services.cookie_secure, httponly=True, samesite="lax"
    )


def visitor_of(request: Request, services: Services) -> Visitor | None:
    """Return who is signed in, if anybody; the session is noted as in use now and then."""
    token = request.cookies.get(session_cookie(services), "")
    if not token:
        return None
    now = services.clock.now()
    with services.database.read() as connection:
        session = sessions.find(connection, token, now, idle=services.session_idle)
        if session is None:
            return None
        principal = principal_of(connection, services.desk, session.person, Authentication.SESSION)
        person = find_person(connection, services.desk, session.person)
    if principal is None or person is None:
        return None
    if now - session.seen_at >= sessions.SEEN_EVERY:
        with services.database.write() as connection:
            sessions.touch(connection, session, now)
    visitor = Visitor(person.name, principal, session, sessions.form_token(token, services.secret))
    request.state.visitor = visitor
    return visitor


MaybeSignedIn = Annotated[Visitor | None, Depends(visitor_of)]


def _signed_in(visitor: MaybeSignedIn) -> Visitor:
    if visitor is None:
        raise NotSignedIn
    return visitor


SignedIn = Annotated[Visitor, Depends(_signed_in)]


def from_our_own_site(request: Request) -> None:
    """Refuse a form that another site sent: browsers say where from, and nobody else can make them lie."""
    origin = request.headers.get("origin")
    if origin is not None:
        good = urlsplit(origin).netloc == request.headers.get("host") and origin != "null"
    else:
        good = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if not good:
        raise HTTPException(
            403, "This form was sent from another site; open the page here and send it again."
        )


FromOurOwnSite = Depends(from_our_own_site)


def _form_of_this_session(visitor: SignedIn, form_token: Annotated[str, Form()] = "") -> None:
    if not hmac.compare_digest(form_token.encode(), visitor.form_token.encode()):
        raise HTTPException(
            403, "This form is from an earlier sign-in; load the page again and send it anew."
        )


SentOnPurpose = (FromOurOwnSite, Depends(_form_of_this_session))
"""For ``dependencies=`` of every route that changes something for a signed-in visitor."""


def places_where(principal: Principal, action: Action) -> list[Jurisdiction]:
    """Return the jurisdictions in which ``principal`` may do ``action``, by name.

    Raises
    ------
    Forbidden
        If there is none.
    """
    allowed = sorted(place for place in principal.roles if may(principal, action, place))
    if not allowed:
        raise Forbidden(principal, action, Jurisdiction("any jurisdiction"))
    return allowed


def authorise_where_known(principal: Principal, action: Action, jurisdiction: Jurisdiction) -> None:
    """Authorise; to somebody with no role there at all, what they asked for does not exist.

    Raises
    ------
    Forbidden
        If they have a role there that does not allow it.
    HTTPException
        404, if they have none.
    """
    if not principal.roles_in(jurisdiction):
        raise HTTPException(404)
    authorise(principal, action, jurisdiction)
