"""How commands answer: plain tables for people, JSON for programs, both on standard output.

What is printed here is *inside* (the command line on the host may show true numbers); JSON that holds any is stamped so.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

_LONDON = ZoneInfo("Europe/London")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a plain table, or one sentence where there are no rows."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [[said(cell) for cell in row] for row in rows]
    if not lines:
        click.echo(empty)
        return
    table = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for line in lines:
        # Text, not markup: a value that looks like a tag is a value.
        table.add_row(*(Text(cell) for cell in line))
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        # Somebody reads this with a program: do not fold at a width that nobody has.
        console = Console(highlight=False, width=max(200, *(sum(map(len, line)) + 40 for line in lines)))
    console.print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name.ljust(width)}  {said(value)}")


def print_json(content: Any, *, internal: bool = False) -> None:  # noqa: ANN401 (any JSON value)
    """Print JSON; ``internal`` stamps an object that holds true numbers."""
    if internal:
        content = {"classification": "internal", **content}
    click.echo(json.dumps(content, indent=2, default=_as_json))


def said(value: object) -> str:  # noqa: PLR0911 (a case for each kind of value)
    """Return a value as people read it: moments in London time, nothing as a dash."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(_LONDON).strftime("%a %-d %b %Y %H:%M")
        case date():
            return value.strftime("%a %-d %b %Y")
        case float():
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 (three digits either way)
        case list() | tuple() | set() | frozenset():
            return ", ".join(said(item) for item in value) or "-"
        case _:
            return str(value)


def _as_json(value: object) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
