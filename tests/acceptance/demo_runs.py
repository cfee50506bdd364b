"""Plays the demo's quiet year in a process of its own, for counting false pages over many seeds."""

import io
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console


def quiet_year(seed: int) -> dict[str, Any]:
    """Play two years of history and the quiet year of one seed; return what ``--json`` would write."""
    from tocsin.demo import play
    from tocsin.logging import configure_logging

    configure_logging("warning", json=False)
    with tempfile.TemporaryDirectory(prefix="tocsin-quiet-") as folder:
        house, content = play(Path(folder), seed=seed, console=Console(file=io.StringIO()), quiet_only=True)
        house.close()
    return content
