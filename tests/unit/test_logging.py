"""Logs: whatever is logged, by us or by a library, no value that could identify anybody is written."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tocsin.logging import ALLOWED, configure_logging

ROOT = Path(__file__).parents[2]
SECRET = "Jane Doe 943 476 5919"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, while logging is set up as the service sets it up."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, structlog.get_config())
    stream = io.StringIO()
    configure_logging("INFO", json=True, stream=stream)
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**before[2])


def test_a_field_that_is_not_allowed_is_dropped_and_the_loss_is_named(lines: io.StringIO) -> None:
    structlog.get_logger("x").info("intake.done", records=3, patient=SECRET, query="?token=abc")
    said = json.loads(lines.getvalue())
    assert said["event"] == "intake.done"
    assert (said["records"], said["dropped"], said["level"]) == (3, 2, "info")
    assert SECRET not in lines.getvalue()
    assert "token" not in lines.getvalue()


def test_an_exception_is_its_type_and_its_place_without_its_words(lines: io.StringIO) -> None:
    def fail() -> None:
        try:
            dict[str, str]()[SECRET]
        except KeyError as error:
            raise ValueError(f"cannot read {SECRET}") from error

    try:
        fail()
    except ValueError:
        structlog.get_logger("x").exception("intake.record_failed", position=7)
    said = json.loads(lines.getvalue())
    assert said["error"] == "ValueError from KeyError"
    assert any("test_logging.py:" in place for place in said["where"])
    assert SECRET not in lines.getvalue()


def test_neither_pydantic_nor_sqlalchemy_puts_a_value_into_the_log(lines: io.StringIO) -> None:
    log = structlog.get_logger("x")
    try:
        TypeAdapter(int).validate_python(SECRET)
    except ValidationError:
        log.exception("a")
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM nothing WHERE name = :name"), {"name": SECRET})
    except SQLAlchemyError:
        log.exception("b")
    finally:
        engine.dispose()
    assert SECRET not in lines.getvalue()
    assert "OperationalError" in lines.getvalue()
    assert "ValidationError" in lines.getvalue()


def test_what_the_operating_system_said_is_kept(lines: io.StringIO) -> None:
    try:
        Path("/nowhere/at/all").read_text()
    except OSError:
        structlog.get_logger("x").exception("a")
    assert json.loads(lines.getvalue())["error"] == "FileNotFoundError (No such file or directory)"


def test_a_librarys_line_is_kept_as_the_template_in_its_code(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("could not read %s", SECRET)
    said = json.loads(lines.getvalue())
    assert (said["event"], said["logger"]) == ("could not read %s", "some.library")


def test_the_web_servers_own_access_log_is_off_because_links_are_secrets(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('%s - "GET %s"', "203.0.113.7", "/sign-in/secret")
    assert lines.getvalue() == ""


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_whatever_is_logged_under_an_allowed_name_stays_one_line_of_json(value: object) -> None:
    from tocsin.logging import keep_allowed

    kept = keep_allowed(None, "info", {"event": "x", "state": value, "records": value})
    said = json.loads(json.dumps(kept))
    assert said["event"] == "x"
    assert said["records"] in ("(str)", "(dict)", "(list)")


def test_every_field_that_our_code_logs_is_allowed() -> None:
    """A field that is dropped at run time was meant to help somebody: allow it, or take it away."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    unknown = []
    for package in ("streams", "alerts", "tocsin"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in levels
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger")
                ):
                    names = {keyword.arg for keyword in node.keywords if keyword.arg}
                    unknown += [(path.name, name) for name in names - ALLOWED - {"exc_info"}]
    assert unknown == []
