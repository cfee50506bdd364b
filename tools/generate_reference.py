"""Write the reference pages that follow from the code: settings, commands and the contracts' JSON Schema.

``python tools/generate_reference.py`` writes them; ``--check``, which ``make lint`` and a test run, changes nothing and
says which are out of date. A page written here is never edited by hand.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.export import CONTRACTS, documents
from streams.profile import DEFAULT_FEEDS
from tocsin.cli import main as command_line
from tocsin.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("docs/reference")
_MADE = "This page is written from the code by `python tools/generate_reference.py`; do not edit it."


def pages() -> dict[Path, str]:
    """Every generated file, relative to the project's root, and what it should hold."""
    made = {
        FOLDER / "settings.md": settings_page(),
        FOLDER / "cli.md": cli_page(),
        FOLDER / "schemas.md": schemas_page(),
    }
    for name, document in documents().items():
        made[FOLDER / "schemas" / f"{name}.json"] = json.dumps(document, indent=2) + "\n"
    return made


def out_of_date(root: Path) -> list[str]:
    """Return what is wrong with the pages as they stand, one sentence each."""
    made = pages()
    problems = []
    for path, text in made.items():
        file = root / path
        if not file.exists():
            problems.append(f"{path}: is missing")
        elif file.read_text(encoding="utf-8") != text:
            problems.append(f"{path}: is out of date")
    stray = {file.relative_to(root) for file in (root / FOLDER / "schemas").glob("*.json")} - made.keys()
    return [*problems, *(f"{path}: belongs to no contract any more" for path in sorted(stray))]


# Settings


def settings_page() -> str:
    """The page of settings, from the tree of models."""
    lines = [
        "# Settings",
        "",
        "Tocsin reads one TOML file: the one named by `--config`, else by the environment variable `TOCSIN_CONFIG`,",
        "else `tocsin.toml` in the working directory. Environment variables win over the file; their names begin with",
        "`TOCSIN__`, with two underscores between levels, such as `TOCSIN__ALERTS__LINKS__SECRET`. Relative paths in",
        "the file are relative to the file. A name that is not on this page is refused.",
        "",
        "`tocsin init` writes a file to begin with, and `tocsin check-config` says what is wrong with yours.",
        "",
        _MADE,
        "",
    ]
    for title, model in tables(Settings):
        lines += [f"## {title}", "", _first_paragraph(model), ""] if title else ["## At the top", ""]
        lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            cells = (f"`{name}`", type_words(field.annotation), default_words(field), field.description or "")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    lines += [
        "## What holds for a feed",
        "",
        "Where `[jurisdictions.NAME.feeds.FEED]` says nothing, a feed is counted so:",
        "",
        "| feed | `counted_areas` | `completeness` | `unnamed_class` |",
        "|---|---|---|---|",
    ]
    for feed, one in DEFAULT_FEEDS.items():
        values = (list(one.counted_areas), list(one.completeness), one.unnamed_class)
        lines.append(f"| `{feed}` | " + " | ".join(f"`{_toml(value)}`" for value in values) + " |")
    return "\n".join([*lines, ""])


def tables(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each table of the settings file: its TOML heading, and the model that says what may stand in it."""
    yield (f"`{place}`" if place else ""), model
    for name, field in model.model_fields.items():
        here = f"{place.strip('[]')}.{name}" if place else name
        for inner, heading in _inner_models(field.annotation, here):
            yield from tables(inner, heading)


def _inner_models(annotation: object, here: str) -> Iterator[tuple[type[BaseModel], str]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, f"[{here}]"
    elif origin is dict:
        for inner, _ in _inner_models(arguments[1], here):
            key = arguments[0]
            word = key.__name__.upper() if isinstance(key, type) and issubclass(key, Enum) else "NAME"
            yield inner, f"[{here}.{word}]"
    elif origin in (tuple, list):
        for inner, _ in _inner_models(arguments[0], here):
            yield inner, f"[[{here}]]"
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _inner_models(argument, here)
    elif origin is Annotated:
        yield from _inner_models(arguments[0], here)


def type_words(annotation: object) -> str:  # noqa: PLR0911 (a case for each kind of type)
    """Say what may be written, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(arguments[0])
    if isinstance(annotation, NewType):
        return type_words(annotation.__supertype__)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(type_words(one) for one in arguments if one is not NoneType)
    if origin is dict:
        return f"a table: {type_words(arguments[1])} by name"
    if origin in (tuple, list):
        return f"a list, each {type_words(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a table"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    words = {bool: "yes or no", int: "whole number", float: "number", str: "text", SecretStr: "secret text"}
    assert isinstance(annotation, type), annotation  # noqa: S101 (a kind of type that this page has no words for)
    return words.get(annotation, annotation.__name__.lower())


def default_words(field: FieldInfo) -> str:
    """Say what holds where nothing is written; a default that is a table is told where the table is."""
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "its own defaults"
    plain = _plain(value)
    if plain in ([], {}):
        return "empty"
    return f"`{_toml(plain)}`"


def _plain(value: object) -> Any:  # noqa: ANN401 (whatever TOML holds)
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value if item is not None}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str) else str(value)


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


# Commands


def cli_page() -> str:
    """The page of commands, from click."""
    lines = [
        "# Commands",
        "",
        "`tocsin [--config FILE] [--debug] COMMAND`. A mistake is told in one sentence on standard error; the exit code",
        "is then 2 where settings or usage are wrong and nothing was tried, and 1 for everything else. Commands act for",
        "whoever may use the shell on this host, and say so in the audit trail.",
        "",
        _MADE,
        "",
    ]
    for path, command in commands(command_line):
        context = click.Context(command, info_name=path)
        usage = " ".join(["tocsin", path, *command.collect_usage_pieces(context)]).replace("  ", " ")
        lines += [f"## `{'tocsin ' + path if path else 'tocsin'}`", "", _help_words(command.help or ""), ""]
        if isinstance(command, click.Group) and path:
            continue
        lines += ["```", usage.replace("[OPTIONS] ", "[OPTIONS] ").strip(), "```", ""]
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            for option in options:
                lines.append(
                    "| "
                    + " | ".join(one.replace("|", "\\|") for one in _option_words(option, context))
                    + " |"
                )
            lines.append("")
    return "\n".join(lines)


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it, groups before what is in them."""
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        here = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, here)
        elif command is not None:
            yield here, command


def _option_words(option: click.Option, context: click.Context) -> tuple[str, str]:
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    extra = []
    if option.required:
        extra.append("must be given")
    if option.show_default and option.default is not None:
        extra.append(f"otherwise {option.default}")
    names = ", ".join(f"`{name}{value}`" for name in option.opts)
    return names, (option.help or "") + (f" ({'; '.join(extra)})" if extra else "")


def _help_words(text: str) -> str:
    return " ".join(text.replace("\b", "").split())


# Contracts


def schemas_page() -> str:
    """The page that says which JSON Schema is for what."""
    lines = [
        "# Schemas",
        "",
        "The contracts of Tocsin as [JSON Schema](https://json-schema.org/) (draft 2020-12), for partners who send",
        "records and for programs that read what Tocsin writes.",
        "",
        _MADE,
        "",
        "| schema | what it is |",
        "|---|---|",
    ]
    lines += [f"| [{one.title}](schemas/{one.name}.json) | {one.summary} |" for one in CONTRACTS]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the pages, or check them; 1 if any is out of date."""
    if sys.argv[1:] == ["--check"]:
        problems = out_of_date(ROOT)
        for problem in problems:
            print(problem)
        print(
            "Reference: run `python tools/generate_reference.py`, and commit what it writes."
            if problems
            else "Reference: the generated pages are up to date."
        )
        return 1 if problems else 0
    for path, text in pages().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
