"""The import rules say what the design says: each forbidden direction is refused, each allowed one is not."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "schemas": [],
    "detectors": ["schemas"],
    "streams": ["schemas", "detectors"],
    "alerts": ["schemas"],
    "tocsin": ["schemas", "detectors", "streams", "alerts"],
}
FORBIDDEN = [
    (importer, imported)
    for importer, allowed in ALLOWED.items()
    for imported in ALLOWED
    if imported not in (*allowed, importer)
]


def lint_imports(directory: Path, imports: dict[str, list[str]]) -> subprocess.CompletedProcess[str]:
    """The project's import contracts, applied to five small packages that import each other so."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "importlinter" in tomllib.loads(settings)["tool"]
    (directory / "pyproject.toml").write_text(settings, encoding="utf-8")
    for package, imported in imports.items():
        (directory / package).mkdir()
        lines = "".join(f"import {name}\n" for name in imported)
        (directory / package / "__init__.py").write_text(lines, encoding="utf-8")
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_designs_directions_are_allowed(tmp_path: Path) -> None:
    done = lint_imports(tmp_path, ALLOWED)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("importer", "imported"), FORBIDDEN)
def test_every_other_direction_is_refused(tmp_path: Path, importer: str, imported: str) -> None:
    done = lint_imports(tmp_path, {package: [] for package in ALLOWED} | {importer: [imported]})
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{importer} is not allowed to import {imported}" in done.stdout
