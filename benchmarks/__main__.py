"""``python -m benchmarks NAME``: run one benchmark, print its figures, and keep them in RESULTS.md."""

import argparse
import importlib
import shlex
from collections.abc import Callable, Sequence
from typing import cast

from benchmarks import machine, results
from benchmarks.results import Figure, Run
from tocsin.clocks import SystemClock
from tocsin.logging import configure_logging

NAMES = (
    *("ingest", "latency", "acknowledge", "detection", "replay", "pages"),
    *("farrington_speed", "parity", "weekly", "daily", "nowcast"),
    *("known_answers", "scan_speed", "space_time", "kent", "kent_speed", "novelty", "scenarios"),
)

Measure = Callable[[int, int | None], tuple[Sequence[Figure], str]]
"""Takes the seed and how many runs or trials are wanted; returns figures and a note. No figures: it was skipped."""


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="+", choices=(*NAMES, "all"), metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seed", type=int, default=1, help="of every simulated record (1)")
    parser.add_argument(
        "--runs", type=int, help="runs or trials of each figure; left out, as the targets ask"
    )
    parser.add_argument("--no-record", action="store_true", help="leave RESULTS.md as it is")
    wanted = parser.parse_args()
    configure_logging("warning", json=False)
    for name in NAMES if "all" in wanted.names else wanted.names:
        measure = cast(Measure, importlib.import_module(f"benchmarks.{name}").measure)
        runs = [] if wanted.runs is None else ["--runs", str(wanted.runs)]
        command = shlex.join(["python", "-m", "benchmarks", name, "--seed", str(wanted.seed), *runs])
        before = machine.load()
        figures, note = measure(wanted.seed, wanted.runs)
        if not figures:
            print(f"{name}: skipped. {note}")
            continue
        run = Run(name, command, wanted.seed, SystemClock().now(), (before, machine.load()), note)
        results.show(run, figures)
        if not wanted.no_record:
            results.record(run, figures)


if __name__ == "__main__":
    main()
