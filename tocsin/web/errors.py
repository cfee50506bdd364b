"""Refusals, each in one clear sentence: a page for people, JSON for programs. None ever repeats what was sent.

FastAPI's own answers are replaced, because they quote the request.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from schemas.authorise import Forbidden
from tocsin.web.addresses import API, SIGN_IN, is_worth_returning_to
from tocsin.web.rendering import render

NEXT_COOKIE = "tocsin_next"
_NEXT_SECONDS = 30 * 60

_TITLES = {
    400: "That did not work",
    403: "Not yours to do",
    404: "Nothing here",
    405: "Nothing here",
    409: "That has changed",
    413: "Too large",
}
_SENTENCES = {
    403: "Your roles do not allow this.",
    404: "There is nothing at this address, or it is not yours to see.",
    405: "This address cannot be used in this way.",
}
_FORM_SENTENCE = "The form was not filled in as expected; go back, check it and send it again."


class NotSignedIn(Exception):  # noqa: N818 (a state, not a fault)
    """The request needs somebody who is signed in."""


def add_handlers(app: FastAPI) -> None:
    """Teach ``app`` how to refuse."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)


def _not_signed_in(request: Request, _: Exception) -> Response:
    if _is_api(request):
        return _json(401, "Sign in first, or send a valid key.", {"WWW-Authenticate": "Bearer"})
    answer = RedirectResponse(SIGN_IN, 303)
    if request.method == "GET" and is_worth_returning_to(request.url.path):
        answer.set_cookie(
            NEXT_COOKIE,
            request.url.path,
            max_age=_NEXT_SECONDS,
            path="/",
            secure=request.app.state.services.cookie_secure,
            httponly=True,
            samesite="lax",
        )
    return answer


def _forbidden(request: Request, _: Exception) -> Response:
    return _refuse(request, 403, _SENTENCES[403])


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    sentence = error.detail if isinstance(error, HTTPException) and _is_ours(error) else ""
    return _refuse(request, status, sentence or _SENTENCES.get(status, "That did not work."), headers)


def _unreadable(request: Request, _: Exception) -> Response:
    """Answer a request whose parts do not fit the route: which ones is not said, since the words would quote it."""
    if _is_api(request):
        return _json(
            422, "The request does not have the form that this address expects; see the API's reference."
        )
    # A malformed identifier in an address is just something that is not there.
    return _refuse(
        request, 404 if request.method == "GET" else 400, _FORM_SENTENCE if request.method != "GET" else ""
    )


def _is_ours(error: HTTPException) -> bool:
    """Whether the words are a sentence of ours, not Starlette's reason phrase or FastAPI's remark on a body."""
    return error.detail.endswith(".")


def _refuse(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    sentence = sentence or _SENTENCES.get(status, "That did not work.")
    if _is_api(request):
        return _json(status, sentence, headers)
    context: dict[str, Any] = {"title": _TITLES.get(status, "That did not work"), "sentence": sentence}
    return render(request, "message.html", context, status=status, headers=headers)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(API) or request.url.path in ("/metrics", "/healthz", "/readyz")


def _json(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers=headers)
