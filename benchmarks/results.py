"""Figures, their medians and spreads, and the table of each benchmark in RESULTS.md.

A benchmark hands over its figures; the block between its two markers is replaced, and nothing else of the file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

from benchmarks.machine import machine, versions

RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of a table."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None
    """Nothing where there is no target."""
    peer: str = ""
    """What it is compared with, measured in the same run."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a benchmark was run."""

    name: str
    command: str
    seed: int
    at: datetime
    loads: tuple[float, float]
    """Load average of a minute, before and after."""
    note: str = ""
    """What a reader must know to read the figures."""


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Return the median with the least and the greatest of several runs."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}}, {len(values)} runs)"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of all lie, interpolated; of few values the greatest stands for 99 %."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def distribution(seconds: Sequence[float]) -> str:
    """Return median, 99th percentile and greatest of many times."""
    middle, high, most = median(seconds), percentile(seconds, 0.99), max(seconds)
    return f"p50 {middle:.3f} s, p99 {high:.3f} s, longest {most:.3f} s ({len(seconds)} times)"


def show(run: Run, figures: Sequence[Figure]) -> None:
    """Print the figures as a person reads them."""
    print("\n".join(_heading(run)))
    for one in figures:
        print(f"  {one.what}: {one.figure}{_verdict(one, ' [target {}: {}]')}")
        if one.peer:
            print(f"      beside: {one.peer}")


def record(run: Run, figures: Sequence[Figure], path: Path = RESULTS) -> None:
    """Put the figures into the benchmark's block of RESULTS.md."""
    begin, end = f"<!-- {run.name}: begin -->", f"<!-- {run.name}: end -->"
    rows = [
        f"| {one.what} | {one.figure} | {one.target} | {_verdict(one, '{1}')} | {one.peer} |"
        for one in figures
    ]
    table = ["| what | figure | target | met | beside it, in the same run |", "|---|---|---|---|---|", *rows]
    block = "\n".join([begin, f"## {run.name}", "", *_heading(run), "", *table, end])
    text = path.read_text(encoding="utf-8") if path.exists() else "# Results\n"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = pattern.sub(lambda _: block, text) if pattern.search(text) else f"{text.rstrip()}\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def _heading(run: Run) -> list[str]:
    before, after = run.loads
    return [
        f"{run.at:%Y-%m-%d %H:%M} UTC, `{run.command}`, seed {run.seed}.",
        f"Load average {before:.1f} before and {after:.1f} after.",
        f"{machine()}.",
        f"{versions()}.",
        *([run.note] if run.note else []),
    ]


def _verdict(one: Figure, form: str) -> str:
    if one.met is None:
        return ""
    return form.format(one.target, "yes" if one.met else "**no**")
