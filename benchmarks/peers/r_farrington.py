"""Run R's farringtonFlexible on given series and read its answers.

For ``benchmarks.parity``, ``benchmarks.farrington_speed``, ``benchmarks.weekly`` and the golden files. R is never
needed by the product; without it the caller says that it was skipped.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCRIPT = Path(__file__).with_name("farrington_flexible.R")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What R said: every array has the shape (n_series, n_evaluated); NaN where R has NA."""

    expected: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    upper: NDArray[np.float64]
    p_value: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    seconds: float
    """What R's call itself took, reading and writing left out; 0 where an earlier answer was read."""
    versions: str


def available() -> bool:
    """Return whether R is installed with the package that is needed."""
    program = shutil.which("Rscript")
    if program is None:
        return False
    asked = subprocess.run(
        [program, "-e", "quit(status = !requireNamespace('surveillance'))"], capture_output=True, check=False
    )
    return asked.returncode == 0


def run(counts: NDArray[np.int64], first: int, last: int, alpha: float, folder: Path, name: str) -> Answers:
    """Judge columns ``first`` to ``last`` of every row; an answer of the same name in ``folder`` is read again."""
    asked, answered = folder / f"{name}.counts.csv", folder / f"{name}.answers.csv"
    seconds, versions = 0.0, "read from an earlier run"
    text = "\n".join(",".join(map(str, row)) for row in counts.tolist()) + "\n"
    if not (answered.exists() and asked.exists() and asked.read_text(encoding="ascii") == text):
        answered.unlink(missing_ok=True)
        asked.write_text(text, encoding="ascii")
        unfinished = answered.with_suffix(".part")
        command = ["Rscript", str(SCRIPT), str(asked), str(first), str(last), str(alpha), str(unfinished)]
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        unfinished.rename(answered)
        seconds, versions = float(said[0]), f"surveillance {said[1]}, R {said[2]}"
    return read(answered, counts.shape[0], seconds, versions)


def read(path: Path, n_series: int, seconds: float = 0.0, versions: str = "") -> Answers:
    """Read answers that R has written."""
    table = np.genfromtxt(path, delimiter=",", skip_header=1, missing_values="NA", filling_values=np.nan)
    expected, dispersion, upper, p_value, alarm = (
        table[:, k].reshape(n_series, -1) for k in range(2, table.shape[1])
    )
    return Answers(expected, dispersion, upper, p_value, alarm == 1, seconds, versions)
