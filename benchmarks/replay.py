"""Replay: ten years of real deaths in the 169 towns of Connecticut, by ``tocsin replay`` as a user runs it.

Calibration is timed apart, as the command itself reports it. Needs the project's shared data beside the checkout; without
it the benchmark is skipped.
"""

import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.results import Figure, spread
from benchmarks.service import TOCSIN
from tocsin.replay import Request

TARGET_SECONDS = 600.0
ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "real"
FILE = DATA / "connecticut_deaths_2012_2022.csv.gz"
_FROM = date(2013, 1, 1)
_SAID = re.compile(
    r"([\d,]+) records in ([\d.]+) s of playing: ([\d,]+) a second.*calibration took ([\d.]+) s"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one replay reported."""

    records: int
    playing: float
    rate: float
    calibrating: float
    whole: float
    processor: float
    """Processor seconds of the command with its workers: what it costs however busy the machine is."""
    identical: bytes


def request() -> Request:
    """Return the replay of Connecticut."""
    return Request(
        files=[FILE],
        mapping=ROOT / "docs" / "how-to" / "examples" / "connecticut-deaths.toml",
        geography=DATA / "connecticut_towns.csv",
        aliases=DATA / "connecticut_place_aliases.csv",
        first_day=_FROM,
        time_zone="America/New_York",
        holiday_country="US",
        holiday_subdivision="CT",
    )


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Replay so many times (three), with the calibration that the command does by itself."""
    if not FILE.exists():
        return [], f"The shared data is not beside the checkout (looked for {FILE.name})."
    results = [_run(seed) for _ in range(runs or 3)]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    playing = [one.playing for one in results]
    same = len({one.identical for one in results}) == 1
    figures = [
        Figure(
            f"{results[0].records:,} records, 169 towns, from {_FROM}: seconds of playing, detection included",
            spread(playing, ".0f"),
            f"{TARGET_SECONDS:.0f}",
            max(playing) < TARGET_SECONDS,
        ),
        Figure("records a second while playing", spread([one.rate for one in results])),
        Figure(
            "calibration (200 simulated years), seconds", spread([one.calibrating for one in results], ".0f")
        ),
        Figure("the whole command, seconds", spread([one.whole for one in results], ".0f")),
        Figure(
            "processor seconds of the whole, calibration included",
            spread([one.processor for one in results], ".0f"),
        ),
        Figure("memory of the largest process, MiB", f"{memory:,.0f}"),
    ]
    if len(results) > 1:
        figures.append(Figure("the same bytes each time", "yes" if same else "no", "yes", same))
    return figures, "Ten years of deaths, each known some weeks after it happened, as the mapping states."


def _run(seed: int) -> Result:
    wanted = request()
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        target = Path(folder) / "incidents.json"
        command = [str(TOCSIN), "replay", str(wanted.files[0])]
        for option, value in {
            "mapping": wanted.mapping,
            "geography": wanted.geography,
            "aliases": wanted.aliases,
            "from": wanted.first_day,
            "time-zone": wanted.time_zone,
            "holiday-country": wanted.holiday_country,
            "holiday-subdivision": wanted.holiday_subdivision,
            "seed": seed,
            "json": target,
        }.items():
            command += [f"--{option}", str(value)]
        began, used = time.perf_counter(), _processor()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        whole = time.perf_counter() - began
        said = _SAID.search(" ".join(done.stdout.split()))
        if done.returncode != 0 or said is None:
            raise RuntimeError(f"The replay failed: {done.stdout[-500:]} {done.stderr[-500:]}")
        records, playing, rate, calibrating = (float(part.replace(",", "")) for part in said.groups())
        processor = _processor() - used
        print(
            f"  {records:,.0f} records in {playing:.0f} s of playing, calibration {calibrating:.0f} s",
            flush=True,
        )
        return Result(int(records), playing, rate, calibrating, whole, processor, target.read_bytes())


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
