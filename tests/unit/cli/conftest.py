"""A folder as `tocsin init` leaves it, filled in, and a way to type commands in it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from schemas.vocabulary import Jurisdiction
from tocsin.cli import main
from tocsin.cli.context import Context
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

KENT = Jurisdiction("kent-and-medway")
NOW = datetime(2018, 1, 22, 12, 0, tzinfo=UTC)

Tocsin = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("TOCSIN_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "kent"
    done = CliRunner().invoke(main, ["init", str(folder)], obj=Context())
    assert done.exit_code == 0, done.output
    settings = folder / "tocsin.toml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("FILL IN: name of the fallback contact", "Robin Okoro")
    settings.write_text(text.replace("fill-in@example.invalid", "robin@example.org"), encoding="utf-8")
    return folder


@pytest.fixture
def folder(_made_once: Path, tmp_path: Path) -> Path:
    """Settings with a real fallback contact, and an empty database."""
    return Path(shutil.copytree(_made_once, tmp_path / "kent"))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def tocsin(folder: Path, clock: VirtualClock) -> Tocsin:
    """Types a command, and gives what it answered."""

    def run(*arguments: object) -> Result:
        words = ["--config", str(folder / "tocsin.toml"), *(str(one) for one in arguments)]
        return CliRunner().invoke(main, words, obj=Context(clock=clock))

    return run


@pytest.fixture
def writing(folder: Path) -> Callable[..., object]:
    """Opens a writing transaction on the folder's database."""

    @contextmanager
    def opened() -> Iterator[Connection]:
        database = SqlDatabase(f"sqlite:///{folder / 'tocsin-data' / 'tocsin.sqlite'}")
        with database.write() as connection:
            yield connection
        database.close()

    return opened


def said(result: Result) -> str:
    """The one sentence of a refusal, which must be all there is on standard error."""
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="session")
def _seeded_once(_made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tocsin.settings import read_settings

    from . import seeded

    folder = Path(shutil.copytree(_made_once, tmp_path_factory.mktemp("seeded") / "kent"))
    seeded.play(read_settings(folder / "tocsin.toml"))
    return folder


@pytest.fixture
def seeded_folder(_seeded_once: Path, folder: Path) -> Path:
    """The folder of the test, with a year of records in its database and a cluster that was found (``seeded.py``)."""
    shutil.rmtree(folder)
    return Path(shutil.copytree(_seeded_once, folder))
