"""The addresses that more than one part of the web must know."""

import re

API = "/api/"
INGEST = "/api/v1/feeds/"
SIGN_IN = "/sign-in"
INCIDENTS = "/incidents"

_RETURNABLE = re.compile(
    r"/(?:incidents(?:/[A-Z0-9]{1,12}-[0-9]{4}-[0-9]{4,6})?|feeds|quarantine(?:/[0-9]{1,18})?|audit)"
)


def is_worth_returning_to(path: str) -> bool:
    """Whether somebody who signs in should be brought to ``path``: one of our own pages, never another site."""
    return _RETURNABLE.fullmatch(path) is not None
