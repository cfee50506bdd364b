"""Quarantine in the console: what waits and why, and the two decisions about it.

A record is shown as quarantine keeps it, without the values that were taken out. A release may correct one field at a
time; whatever needs more is easier from the command line.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import Row
from starlette.exceptions import HTTPException

from schemas.authorise import Action
from schemas.vocabulary import Jurisdiction
from streams import quarantine
from streams.quarantine import NotInQuarantine
from tocsin.quarantine_release import CannotRelease, discard, release
from tocsin.web.identity import SentOnPurpose, SignedIn, Visitor, authorise_where_known, places_where
from tocsin.web.rendering import render
from tocsin.web.services import Services, WebServices

router = APIRouter()

MOST_SHOWN = 200
Number = Annotated[int, Path(ge=1, le=10**18)]


@router.get("/quarantine")
def waiting(request: Request, services: Services, visitor: SignedIn) -> Response:
    """List the records that wait for a decision."""
    places = places_where(visitor.principal, Action.VIEW_QUARANTINE)
    with services.database.read() as connection:
        rows = quarantine.waiting(connection, jurisdictions=places, limit=MOST_SHOWN + 1)
    return render(
        request,
        "quarantine.html",
        {
            "rows": rows[:MOST_SHOWN],
            "more": len(rows) > MOST_SHOWN,
            "most": MOST_SHOWN,
            "now": services.clock.now(),
        },
    )


@router.get("/quarantine/{number}")
def one(request: Request, services: Services, visitor: SignedIn, number: Number) -> Response:
    """Show one record, its reason, and the forms to release or discard it."""
    row = _record(services, visitor, number, Action.VIEW_QUARANTINE)
    return _page(request, row, visitor)


@router.post("/quarantine/{number}/release", dependencies=[*SentOnPurpose])
def release_it(
    request: Request,
    services: Services,
    visitor: SignedIn,
    number: Number,
    field: Annotated[str, Form(max_length=64)] = "",
    value: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Send the record to intake, with one field corrected if the form says so."""
    row = _record(services, visitor, number, Action.DECIDE_QUARANTINE)
    corrections = {field.strip(): _typed(value)} if field.strip() else {}
    try:
        release(
            services.database,
            services.event_log,
            services.clock,
            number,
            profiles=services.profiles,
            corrections=corrections,
            by=visitor.principal,
        )
    except CannotRelease as problem:
        return _page(request, row, visitor, problem=str(problem), status=422)
    except NotInQuarantine as problem:
        return _page(
            request,
            _record(services, visitor, number, Action.VIEW_QUARANTINE),
            visitor,
            problem=str(problem),
            status=409,
        )
    return RedirectResponse("/quarantine", 303)


@router.post("/quarantine/{number}/discard", dependencies=[*SentOnPurpose])
def discard_it(
    request: Request,
    services: Services,
    visitor: SignedIn,
    number: Number,
    note: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Mark the record as not to be taken in, and why."""
    row = _record(services, visitor, number, Action.DECIDE_QUARANTINE)
    if not note.strip():
        sentence = "Say in a few words why it is discarded, so that others can follow the decision later."
        return _page(request, row, visitor, problem=sentence, status=422)
    try:
        discard(services.database, services.clock, number, by=visitor.principal, note=note.strip())
    except NotInQuarantine as problem:
        return _page(
            request,
            _record(services, visitor, number, Action.VIEW_QUARANTINE),
            visitor,
            problem=str(problem),
            status=409,
        )
    return RedirectResponse("/quarantine", 303)


def _record(services: WebServices, visitor: Visitor, number: int, action: Action) -> Row[Any]:
    """Return a record if the visitor may do ``action`` about it; one of no known jurisdiction is the shell's alone."""
    with services.database.read() as connection:
        try:
            row = quarantine.get(connection, number)
        except NotInQuarantine:
            raise HTTPException(404) from None
    if row.jurisdiction is None:
        raise HTTPException(404)
    authorise_where_known(visitor.principal, action, Jurisdiction(row.jurisdiction))
    return row


def _page(
    request: Request, row: Row[Any], visitor: Visitor, *, problem: str = "", status: int = 200
) -> Response:
    body = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False) if row.body else ""
    may_decide = visitor.may_in(Action.DECIDE_QUARANTINE, Jurisdiction(row.jurisdiction))
    context = {
        "row": row,
        "body": body,
        "problem": problem,
        "may_decide": may_decide and row.state == "waiting",
    }
    return render(request, "quarantine_record.html", context, status=status)


def _typed(value: str) -> Any:  # noqa: ANN401 (a JSON value)
    """Return a list or an object as what it says, nothing as None, and anything else as text.

    The message's own types make a number of "3", and leave an identifier as it is.
    """
    text = value.strip()
    if not text.startswith(("[", "{")):
        return text or None
    try:
        return json.loads(text)
    except ValueError:
        return text
