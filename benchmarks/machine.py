"""What a figure was measured on: the machine, how busy it was, and the versions of what ran.

Every benchmark prints it, and its row in RESULTS.md carries it: a figure without its machine says nothing.
"""

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "scipy", "sqlalchemy", "pydantic", "fastapi", "uvicorn")
_TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Return the processor, its cores and the memory, in one line."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GiB, {platform.system()}"


def versions() -> str:
    """Return the versions of Python and of the libraries that do the work."""
    found = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {found}"


def load() -> float:
    """Return the load average of the last minute: above the number of cores, others were at work too."""
    return os.getloadavg()[0]


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, its children left out (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def largest_memory(process: int) -> float:
    """Return the most memory that a process has held at once, in MiB (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
