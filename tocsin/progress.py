"""Progress of anything that takes more than two seconds: a bar for a person, a few lines for a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINES = 10


@contextmanager
def progress(
    title: str, total: float, *, console: Console | None = None
) -> Iterator[Callable[[float], None]]:
    """Show how far something is: yields a function to be told how much of ``total`` is done."""
    shown = console or Console(stderr=True)
    if shown.is_terminal:
        bar = Progress(
            TextColumn(title),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=shown,
            transient=True,
        )
        with bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    told = 0

    def tell(done: float) -> None:
        nonlocal told
        step = int(_LINES * done / total) if total else _LINES
        if step > told:
            told = step
            print(f"{title}: {100 * done / total:.0f} %", file=sys.stderr, flush=True)  # noqa: T201

    yield tell
