"""Every command explains itself, and what it offers is what there is."""

import click
import pytest

from schemas.authorise import Role
from schemas.incidents import Outcome
from schemas.vocabulary import Feed
from tocsin.cli import COMMANDS, main
from tocsin.cli.access import FEEDS
from tocsin.cli.incidents import OUTCOMES
from tocsin.cli.people import ROLES
from tools import generate_reference

EVERY = [(path, command) for path, command in generate_reference.commands(main) if path]


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[path for path, _ in EVERY])
def test_a_command_and_each_of_its_options_has_help(path: str, command: click.Command) -> None:
    assert command.help, path
    silent = [
        one.name for one in command.params if isinstance(one, click.Option) and not (one.help or "").strip()
    ]
    assert silent == []


def test_the_page_of_commands_has_every_command_and_option() -> None:
    page = generate_reference.cli_page()
    assert [path for path, _ in EVERY if f"## `tocsin {path}`" not in page] == []
    options = {name for _, command in EVERY for one in command.params for name in one.opts if name[0] == "-"}
    assert [name for name in sorted(options) if f"`{name}" not in page] == []


def test_every_command_in_the_list_can_be_loaded() -> None:
    context = click.Context(main)
    assert [name for name in COMMANDS if main.get_command(context, name) is None] == []


def test_the_choices_written_out_for_help_are_those_of_the_contracts() -> None:
    assert set(FEEDS) == {feed.value for feed in Feed}
    assert set(ROLES) == {role.value for role in Role}
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome} - {Outcome.NONE.value}
