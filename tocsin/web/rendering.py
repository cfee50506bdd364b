"""Pages: Jinja templates with escaping always on, a missing name always an error, and moments in words.

Routes call :func:`render`. The filters are the only way in which a template shows a moment, a code or a count.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.clock import LONDON

_FEED_WORDS = {
    "suspected-deaths": "Suspected deaths",
    "ambulance-naloxone": "Ambulance naloxone",
    "ed-presentations": "A&E presentations",
    "drug-checking": "Drug checking",
}


def render(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return a page.

    Every page gets ``who`` (a ``tocsin.web.identity.Visitor``, or None for somebody who is not signed in) from
    the request's state, where the dependency that looked them up left it.
    """
    page = _environment().get_template(template)
    who = getattr(request.state, "visitor", None)
    words = page.render({"who": who, "style": style_address(), "here": request.url.path, **context})
    return HTMLResponse(words, status, headers=dict(headers or {}))


@cache
def style_sheet() -> bytes:
    """Return the one style sheet."""
    return (files("tocsin.web") / "static" / "style.css").read_bytes()


@cache
def style_address() -> str:
    """Return the style sheet's address, which changes with its content so that browsers may keep it for ever."""
    return f"/static/style-{hashlib.sha256(style_sheet()).hexdigest()[:12]}.css"


def moment_words(moment: datetime) -> str:
    """Return a moment as people in Britain say it: "Sat 27 Jan 2018, 02:14"."""
    local = moment.astimezone(LONDON)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def day_words(day: date) -> str:
    """Return a day: "Sat 27 Jan 2018"."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def days_words(days: tuple[date, date]) -> str:
    """Return a run of days, first and last included, as briefly as it can be said: "28-29 Jan 2018" with a dash."""
    first, last = days
    if first == last:
        return f"{last.day} {last:%b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}\N{EN DASH}{last.day} {last:%b %Y}"
    start = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return f"{start} \N{EN DASH} {last.day} {last:%b %Y}"


def span_words(span: timedelta) -> str:
    """Return how long in the largest unit that fits: "3 days", "5 hours", "12 minutes", "less than a minute"."""
    minutes = int(span.total_seconds()) // 60
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        number = minutes // size
        # Two days and an hour is "2 days", but one day and an hour is "25 hours".
        if number >= (2 if size > 1 else 1):
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


def code_words(code: object) -> str:
    """Return a code in words: ``lab_confirmed`` is "Lab confirmed"."""
    text = str(code.value) if isinstance(code, Enum) else str(code)
    words = _FEED_WORDS.get(text) or text.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def machine_moment(moment: datetime) -> str:
    """Return a moment for ``<time datetime>``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tocsin.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": moment_words,
        "day": day_words,
        "days": days_words,
        "span": span_words,
        "code": code_words,
        "machine": machine_moment,
    }
    return environment
