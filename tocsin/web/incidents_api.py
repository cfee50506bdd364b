"""Incidents as JSON, for somebody who is signed in. Counts are figures only for those who may see figures."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from alerts.reading import list_incidents
from schemas.authorise import Action, Principal, may
from schemas.disclosure import exact
from schemas.incidents import Incident
from tocsin.web.addresses import API
from tocsin.web.identity import SignedIn, places_where
from tocsin.web.services import Services

router = APIRouter()

_MOST = 200


@router.get(API + "v1/incidents")
def incidents(
    services: Services,
    visitor: SignedIn,
    *,
    open_only: Annotated[bool, Query(alias="open")] = False,
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Return the newest incidents of every jurisdiction in which the visitor may view them."""
    places = places_where(visitor.principal, Action.VIEW_INCIDENTS)
    with services.database.read() as connection:
        found = list_incidents(connection, places, open_only=open_only, most=_MOST, skip=skip)
    shown = [_as_json(incident, visitor.principal) for incident in found]
    return JSONResponse({"classification": "internal", "incidents": shown})


def _as_json(incident: Incident, principal: Principal) -> dict[str, Any]:
    """Return one incident; to somebody who may not see figures, without what they could be worked out from."""
    figures: dict[str, Any] = {}
    if may(principal, Action.SEE_FIGURES, incident.jurisdiction):
        figures = {
            "observed": exact(incident.observed, principal),
            "expected": incident.expected,
            "recurrence_interval_days": incident.recurrence_interval_days,
            "signals": incident.signals,
        }
    return {
        "id": incident.id,
        "jurisdiction": incident.jurisdiction,
        "opened_at": incident.opened_at.isoformat(),
        "tier": incident.tier.value,
        "areas": list(incident.areas),
        "feeds": [feed.value for feed in incident.feeds],
        "substance_class": incident.substance_class.value,
        "window": [day.isoformat() for day in incident.window],
        "phase": incident.phase.value,
        "verification": incident.verification.value,
        "outcome": incident.outcome.value,
        "acknowledged_by": [item.person for item in incident.held_by],
        "closed_at": incident.closed_at.isoformat() if incident.closed_at else None,
        **figures,
    }
