"""The page about the simulation holds every figure with its present value and its source."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from streams.simulation.parameters import KENT_AND_MEDWAY, Delay

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "simulation.md"


def rows(figures: BaseModel, prefix: str = "") -> Iterator[str]:
    """Each figure as a line of the table: name, value, what it is and where it comes from."""
    for name, field in type(figures).model_fields.items():
        value = getattr(figures, name)
        words = " ".join((field.description or "").split())
        if isinstance(value, BaseModel):
            yield f"| **{prefix}{name}** | | {words} |"
            yield from rows(value, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | {_shown(value)} | {words} |"


def _shown(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], Delay):
        return "; ".join(
            f"{item.share:.0%}: {item.median_hours:g} h, sd {item.log_sd:g}, "
            f"{item.least_hours:g} to {item.most_hours:g} h"
            for item in value
        )
    if isinstance(value, dict):
        return ", ".join(f"{key} {number:g}" for key, number in value.items())
    if isinstance(value, tuple):
        return " ".join(json.dumps(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("row", list(rows(KENT_AND_MEDWAY)), ids=lambda row: row.split("|")[1].strip(" `*"))
def test_the_page_holds_every_figure_as_it_is(row: str) -> None:
    assert row in PAGE.read_text(encoding="utf-8").splitlines()
