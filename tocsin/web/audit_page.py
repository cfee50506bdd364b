"""The audit trail in the console: who did what to what and when, newest first. Nothing here can change it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from schemas.authorise import Action
from schemas.tables.audit import audit_entry
from schemas.vocabulary import Jurisdiction
from tocsin.web.feeds_page import name_of
from tocsin.web.identity import SignedIn, authorise_where_known, places_where
from tocsin.web.rendering import render
from tocsin.web.services import Services

router = APIRouter()

_ENTRY = audit_entry.c
PAGE = 100


@router.get("/audit")
def trail(
    request: Request,
    services: Services,
    visitor: SignedIn,
    jurisdiction: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[int, Query(ge=1, le=10**18)] = 10**18,
) -> Response:
    """Show a hundred entries of one jurisdiction, from the newest or from before a position."""
    places = places_where(visitor.principal, Action.VIEW_AUDIT)
    place = Jurisdiction(jurisdiction) if jurisdiction else places[0]
    authorise_where_known(visitor.principal, Action.VIEW_AUDIT, place)
    with services.database.read() as connection:
        rows = connection.execute(
            select(audit_entry)
            .where(_ENTRY.jurisdiction == place, _ENTRY.position < before)
            .order_by(_ENTRY.position.desc())
            .limit(PAGE + 1)
        ).all()
    context = {
        "rows": rows[:PAGE],
        "older_than": rows[PAGE - 1].position if len(rows) > PAGE else None,
        "place": place,
        "place_name": name_of(services, place),
        "others": [(other, name_of(services, other)) for other in places if other != place],
    }
    return render(request, "audit.html", context)
