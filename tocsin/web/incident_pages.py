"""Incidents in the console: the list, one incident, and what people do to it.

Each form is one command in one transaction; ``alerts`` asks ``authorise`` again inside it. A form carries the notice
that its page showed: if the incident got worse in between, nothing is done and the page says so.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from alerts.acknowledge import acknowledge, close_incident, undo_acknowledgement
from alerts.reading import get_incident, list_incidents
from schemas.authorise import Action
from schemas.incidents import Incident, Outcome
from schemas.vocabulary import Jurisdiction
from streams import jurisdictions
from tocsin.web.addresses import INCIDENTS
from tocsin.web.identity import SentOnPurpose, SignedIn, Visitor, authorise_where_known, places_where
from tocsin.web.incident_view import incident_lines, incident_view
from tocsin.web.rendering import render
from tocsin.web.services import Services, WebServices

router = APIRouter()

IncidentPath = Annotated[str, Path(pattern=r"^[A-Z0-9]{1,12}-[0-9]{4}-[0-9]{4,6}$")]
PAGE = 50
_MOST_OPEN = 500
_GOT_WORSE = (
    "This incident got worse since you opened the page. Please read it again; nothing was recorded yet."
)


@router.get(INCIDENTS)
def incidents(
    request: Request,
    services: Services,
    visitor: SignedIn,
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """List the incidents, the open ones first."""
    places = places_where(visitor.principal, Action.VIEW_INCIDENTS)
    with services.database.read() as connection:
        still_open = list_incidents(connection, places, open_only=True, most=_MOST_OPEN) if skip == 0 else []
        newest = list_incidents(connection, places, most=PAGE + 1, skip=skip)
        closed = [incident for incident in newest[:PAGE] if not incident.is_open]
        shown_open = incident_lines(connection, still_open, services.desk)
        shown_closed = incident_lines(connection, closed, services.desk)
        failing = [
            {
                "name": services.desk.name_of(place, services.desk.root_of(place)),
                "since": state.failing_since,
            }
            for state in jurisdictions.states(connection)
            for place in (state.jurisdiction,)
            if state.failing_since is not None and place in places
        ]
    # Whoever must answer comes first: not held, then the higher tier.
    shown_open.sort(key=lambda line: (bool(line.held_by), -line.incident.tier.rank))
    context = {
        "open": shown_open,
        "failing": failing,
        "closed": shown_closed,
        "skip": skip,
        "older": skip + PAGE if len(newest) > PAGE else None,
        "now": services.clock.now(),
    }
    return render(request, "incidents.html", context)


@router.get(INCIDENTS + "/{incident_id}")
def one(request: Request, services: Services, visitor: SignedIn, incident_id: IncidentPath) -> Response:
    """Show one incident."""
    return _page(request, services, visitor, incident_id)


@router.post(INCIDENTS + "/{incident_id}/acknowledge", dependencies=[*SentOnPurpose])
def acknowledge_it(
    request: Request,
    services: Services,
    visitor: SignedIn,
    incident_id: IncidentPath,
    notice: Annotated[int | None, Form()] = None,
) -> Response:
    """Record that the visitor has it."""
    now = services.clock.now()

    def command(connection: Connection, incident: Incident) -> None:
        if notice is not None and notice != incident.notice:
            raise ValueError(_GOT_WORSE)
        acknowledge(connection, incident_id, visitor.principal, now, desk=services.desk)

    return _do(request, services, visitor, incident_id, (Action.ACKNOWLEDGE, command))


@router.post(INCIDENTS + "/{incident_id}/undo", dependencies=[*SentOnPurpose])
def undo_it(
    request: Request,
    services: Services,
    visitor: SignedIn,
    incident_id: IncidentPath,
    person: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Undo an acknowledgement: the visitor's own, or that of the person whom the form names."""
    now = services.clock.now()
    own = person in ("", visitor.principal.person)

    def command(connection: Connection, _: Incident) -> None:
        undo_acknowledgement(connection, incident_id, visitor.principal, now, person=person or None)

    action = Action.UNDO_ACKNOWLEDGEMENT if own else Action.UNDO_ANOTHERS
    return _do(request, services, visitor, incident_id, (action, command))


@router.post(INCIDENTS + "/{incident_id}/close", dependencies=[*SentOnPurpose])
def close_it(
    request: Request,
    services: Services,
    visitor: SignedIn,
    incident_id: IncidentPath,
    outcome: Annotated[str, Form(max_length=24)] = "",
) -> Response:
    """Close it with the outcome that the form names."""
    now = services.clock.now()
    came_of_it = Outcome(outcome) if outcome in set(Outcome) else Outcome.NONE

    def command(connection: Connection, _: Incident) -> None:
        close_incident(connection, incident_id, visitor.principal, now, outcome=came_of_it)

    return _do(request, services, visitor, incident_id, (Action.CLOSE_INCIDENT, command))


def visible_incident(
    connection: Connection, visitor: Visitor, incident_id: str, action: Action = Action.VIEW_INCIDENTS
) -> Incident:
    """Return an incident if the visitor may do ``action`` with it.

    Raises
    ------
    HTTPException
        404, if there is none or it is of a jurisdiction in which they have no role.
    schemas.authorise.Forbidden
        If their roles there do not allow it.
    """
    incident = get_incident(connection, incident_id)
    if incident is None:
        raise HTTPException(404)
    authorise_where_known(visitor.principal, action, incident.jurisdiction)
    return incident


def boundaries_of(services: WebServices, jurisdiction: Jurisdiction) -> dict[str, Any] | None:
    """Return the outlines of a jurisdiction's areas as GeoJSON; None where its geography has none."""
    profile = services.profiles.get(jurisdiction)
    return profile.geography.boundaries(profile.geography.detection_level) if profile is not None else None


def _do(
    request: Request,
    services: WebServices,
    visitor: Visitor,
    incident_id: str,
    what: tuple[Action, Callable[[Connection, Incident], None]],
) -> Response:
    """Run one command on an incident in a transaction; a refusal is shown above the incident as it now is."""
    action, command = what
    try:
        with services.database.write() as connection:
            command(connection, visible_incident(connection, visitor, incident_id, action))
    except ValidationError:
        raise  # a fault of ours, whose words quote values; not a refusal
    except ValueError as problem:
        return _page(request, services, visitor, incident_id, problem=str(problem))
    services.wake_sender()
    return RedirectResponse(f"{INCIDENTS}/{incident_id}", 303)


def _page(
    request: Request, services: WebServices, visitor: Visitor, incident_id: str, *, problem: str = ""
) -> Response:
    now = services.clock.now()
    with services.database.read() as connection:
        incident = visible_incident(connection, visitor, incident_id)
        view = incident_view(connection, incident, visitor.principal, now, desk=services.desk)
    outcomes = [outcome for outcome in Outcome if outcome is not Outcome.NONE]
    context = {
        "view": view,
        "incident": incident,
        "problem": problem,
        "outcomes": outcomes,
        "has_map": boundaries_of(services, incident.jurisdiction) is not None,
    }
    return render(request, "incident.html", context, status=409 if problem else 200)
