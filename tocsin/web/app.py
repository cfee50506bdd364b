"""The application: routes, layers and refusals put together. Only the wiring calls :func:`create_app`."""

from fastapi import FastAPI

from tocsin import __version__
from tocsin.web import (
    acknowledge_link,
    audit_page,
    feeds_page,
    incident_charts,
    incident_pages,
    incidents_api,
    ingest,
    operations,
    quarantine_pages,
    sign_in,
)
from tocsin.web.addresses import INGEST
from tocsin.web.errors import add_handlers
from tocsin.web.security import BodyLimit, Guard
from tocsin.web.services import WebServices


def create_app(services: WebServices) -> FastAPI:
    """Return the whole web application over the given parts of the house."""
    # FastAPI's own pages of documentation load scripts from another site: docs/reference/api.md stands instead.
    app = FastAPI(title="Tocsin", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.services = services
    for part in (
        sign_in,
        incident_pages,
        incident_charts,
        acknowledge_link,
        feeds_page,
        quarantine_pages,
        audit_page,
        incidents_api,
        ingest,
        operations,
    ):
        app.include_router(part.router)
    add_handlers(app)
    app.add_middleware(BodyLimit, ingest_prefix=INGEST)
    app.add_middleware(Guard, metrics=services.metrics, secure=services.cookie_secure)
    return app
