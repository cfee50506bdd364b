"""What a user installs: a wheel of the five packages and nothing else, whose command works anywhere."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"schemas", "detectors", "streams", "alerts", "tocsin"}


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command, which must succeed; nothing of this process's Python settings reaches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} said:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published, built without the network."""
    directory = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory, cwd=ROOT)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds this wheel, and borrows this run's other packages but not the source tree."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=ROOT)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=ROOT)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=ROOT).strip()
    # A path named in a .pth file is searched after the environment's own, and its own .pth files (the
    # editable install of the source tree) are not read.
    Path(packages, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory in which somebody keeps packages of their own with the same names as ours."""
    for name in ("schemas", "streams", "alerts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not Tocsin')\n", encoding="utf-8")
    return tmp_path


def test_the_wheel_holds_the_five_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_the_wheel_holds_every_committed_file_of_the_packages(wheel: Path) -> None:
    tracked = run("git", "ls-files", *sorted(PACKAGES), cwd=ROOT).splitlines()
    with zipfile.ZipFile(wheel) as archive:
        missing = {name for name in tracked if (ROOT / name).is_file()} - set(archive.namelist())
    assert missing == set()


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_works_where_somebody_has_a_schemas_package(
    installed: Path, elsewhere: Path, option: str
) -> None:
    assert "tocsin" in run(installed / "bin" / "tocsin", option, cwd=elsewhere).lower()


def test_the_installed_packages_are_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "bin" / "python", "-c", "import schemas; print(schemas.__file__)", cwd=tmp_path)
    assert installed in Path(shown.strip()).parents
