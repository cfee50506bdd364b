"""What every answer carries and every request must keep to, whichever route it meets.

Two plain ASGI layers that ``create_app`` puts around the application: one adds the headers that keep a page to itself
(no script, no other site, no cache), measures the request and turns a bug into a plain answer; the other refuses a body
that is too large while it is still arriving.
"""

import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.metrics import Metrics

log = structlog.get_logger(__name__)

LARGEST_INGEST = 10_000_000 - 1
"""Bytes. A delivery must be smaller than 10 MB; what is larger belongs in a file or in several requests."""
LARGEST_FORM = 64 * 1024

_ALLOWED: Mapping[str, str] = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{what} {whence}" for what, whence in _ALLOWED.items())
"""No script at all, and nothing from any other site."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then hide from us which site a form was sent from.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
_STRICT_TRANSPORT = "max-age=31536000"


class Guard:
    """The outermost layer: headers, measurement, and a calm answer when our own code fails."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, secure: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        answered = False

        async def send_guarded(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception:
            log.exception("web.request_failed", route=_template(scope), method=scope["method"])
            if answered:
                raise
            answer = PlainTextResponse(
                "Something went wrong in Tocsin itself; nothing was changed. Try again in a moment.\n", 500
            )
            await answer(scope, receive, send_guarded)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request(_template(scope), scope["method"], status, seconds)

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)


class BodyLimit:
    """Refuses a body that is too large: by what it declares, or while it arrives."""

    def __init__(self, app: ASGIApp, *, ingest_prefix: str) -> None:
        self._app = app
        self._ingest_prefix = ingest_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = LARGEST_INGEST if scope["path"].startswith(self._ingest_prefix) else LARGEST_FORM
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        declared_too_large = declared.isdigit() and int(declared) > largest
        arrived = 0

        async def receive_limited() -> Message:
            nonlocal arrived
            if declared_too_large:
                raise too_large(largest)
            message = await receive()
            if message["type"] == "http.request":
                arrived += len(message.get("body", b""))
                if arrived > largest:
                    raise too_large(largest)
            return message

        await self._app(scope, receive_limited, send)


def too_large(largest: int) -> HTTPException:
    """Return the refusal of a body of more than ``largest`` bytes."""
    limit = "10 MB or more" if largest == LARGEST_INGEST else "more than 64 kB"
    advice = "send it in several requests, or as a file" if largest == LARGEST_INGEST else "shorten it"
    return HTTPException(413, f"The request holds {limit}, which is too much at once; {advice}.")


def _template(scope: Scope) -> str | None:
    """Return the template of the route that was met (never the path: it may hold a link or an identifier)."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
