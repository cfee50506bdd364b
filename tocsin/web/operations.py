"""The operators' endpoints: is it up, is it ready, what does it count.

``/metrics`` answers clients on this host, and others only if they show the metrics token. A request that came through
a proxy is never taken for one from this host.
"""

import hmac
import ipaddress
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from tocsin.web.rendering import style_address, style_sheet
from tocsin.web.services import Services, WebServices

router = APIRouter()

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.get("/healthz")
async def healthz() -> Response:
    """Say that the process is up; it asks nothing of anything else."""
    return JSONResponse({"up": True})


@router.get("/readyz")
def readyz(services: Services) -> Response:
    """Say whether requests should come here, and what is missing if not."""
    checks = dict(services.readiness())
    ready = all(checks.values())
    return JSONResponse({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics")
def metrics(
    request: Request, services: Services, authorization: Annotated[str | None, Header()] = None
) -> Response:
    """Return every metric in the Prometheus text format."""
    if not _shows_token(services, authorization) and not _is_on_this_host(request):
        raise HTTPException(
            401, "Metrics are read on this host, or with the metrics token.", {"WWW-Authenticate": "Bearer"}
        )
    return Response(services.metrics.exposition(), media_type=METRICS_TYPE)


@router.get("/static/{name}")
async def style(name: str) -> Response:
    """Return the one style sheet, which browsers may keep for ever: its address changes with its content."""
    if name != style_address().rpartition("/")[2]:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(style_sheet(), media_type="text/css; charset=utf-8", headers=headers)


def _shows_token(services: WebServices, authorization: str | None) -> bool:
    if services.metrics_token is None or authorization is None:
        return False
    wanted = f"Bearer {services.metrics_token.get_secret_value()}"
    return hmac.compare_digest(authorization.encode(), wanted.encode())


def _is_on_this_host(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
