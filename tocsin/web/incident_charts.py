"""The pictures of an incident: an epidemic curve for each feed behind it, and a map.

They hold true numbers, so each is a route of its own that asks for the action of seeing figures. What is drawn is read
in one transaction and drawn after it, in a thread: no rendering inside a transaction, none on the event loop.
"""

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from alerts.charts import area_map, epidemic_curve, to_svg
from alerts.reading import signals_of
from schemas.authorise import Action
from schemas.clock import civil_day
from schemas.vocabulary import Feed
from tocsin.web.addresses import INCIDENTS
from tocsin.web.identity import SignedIn
from tocsin.web.incident_course import counts_by_area, course_of
from tocsin.web.incident_pages import IncidentPath, boundaries_of, visible_incident
from tocsin.web.rendering import days_words
from tocsin.web.services import Services

router = APIRouter()

_WIDTH, _HEIGHT = 520, 200


@router.get(INCIDENTS + "/{incident_id}/curve/{feed}.svg")
def curve(services: Services, visitor: SignedIn, incident_id: IncidentPath, feed: Feed) -> Response:
    """Draw the events of one feed by day, in the areas of its strongest signal."""
    today = civil_day(services.clock.now())
    with services.database.read() as connection:
        incident = visible_incident(connection, visitor, incident_id, Action.SEE_FIGURES)
        root = services.desk.root_of(incident.jurisdiction)
        signals = signals_of(connection, incident.id)
        course = course_of(connection, incident, signals, feed, today=today, root=root)
    if course is None:
        raise HTTPException(404, "There is nothing to draw for this feed.")
    return _picture(to_svg(epidemic_curve(course.days, title=course.name, width=_WIDTH, height=_HEIGHT)))


@router.get(INCIDENTS + "/{incident_id}/map.svg")
def areas(services: Services, visitor: SignedIn, incident_id: IncidentPath) -> Response:
    """Draw the areas of the jurisdiction, shaded by the events of the incident's feeds in its window."""
    with services.database.read() as connection:
        incident = visible_incident(connection, visitor, incident_id, Action.SEE_FIGURES)
        counts = counts_by_area(connection, incident, signals_of(connection, incident.id))
    boundaries = boundaries_of(services, incident.jurisdiction)
    if boundaries is None:
        raise HTTPException(404, "There is no map of this geography.")
    title = f"Events {days_words(incident.window)}"
    return _picture(to_svg(area_map(boundaries, counts, marked=incident.areas, title=title)))


def _picture(svg: str) -> Response:
    return Response(svg, media_type="image/svg+xml")
