"""A command that computes nothing starts at once: it loads no numerics and no charts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"altair", "numpy", "scipy", "sklearn", "vl_convert"}
_PROGRAM = """
import json, sys
from tocsin.cli import main
status = 0
try:
    main()
except SystemExit as ended:
    status = ended.code
print(json.dumps({"status": status, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def run_and_list_modules(arguments: list[str], directory: Path) -> tuple[int | None, set[str], str]:
    """The exit status of `tocsin` with these arguments, every module it loaded, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr, done
    report = json.loads(done.stderr.splitlines()[-1])
    return report["status"], set(report["modules"]), done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["ack", "--help"]], ids=" ".join)
def test_a_light_command_loads_no_numerics(arguments: list[str], tmp_path: Path) -> None:
    status, modules, printed = run_and_list_modules(arguments, tmp_path)
    assert status in (0, None), printed
    assert modules & HEAVY == set()


def test_checking_the_settings_loads_no_numerics(tmp_path: Path) -> None:
    # An empty directory has no settings to find; whether that is an answer or a refusal is not asked here.
    _, modules, printed = run_and_list_modules(["check-config"], tmp_path)
    assert "No such command" not in printed
    assert "tocsin.settings" in modules
    assert modules & HEAVY == set()
