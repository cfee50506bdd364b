"""The golden files are what R still says: run by ``make test-long`` where R with its package is installed."""

import csv
import math
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import r_farrington

ROOT = Path(__file__).parents[3]


def _value(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


@pytest.mark.long
@pytest.mark.parametrize("name", ["ears", "glr"])
def test_the_committed_answers_are_those_that_r_gives_today(name: str) -> None:
    if not r_farrington.available():
        pytest.skip("R with the surveillance package is not installed")
    script = ROOT / "benchmarks" / "peers" / f"{name}.R"
    said = subprocess.run(["Rscript", str(script)], capture_output=True, text=True, check=True).stdout
    committed = (ROOT / "tests" / "golden" / f"{name}.csv").read_text(encoding="utf-8")
    today, before = (list(csv.reader(text.splitlines())) for text in (said, committed))
    assert len(today) == len(before) > 1000
    for here, there in zip(today, before, strict=True):
        for one, other in zip(map(_value, here), map(_value, there), strict=True):
            if isinstance(one, float) and isinstance(other, float) and not math.isnan(other):
                assert one == pytest.approx(other, rel=1e-6, abs=1e-9)
            else:
                assert str(one) == str(other)
