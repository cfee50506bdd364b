"""The command line: ``tocsin``, a group of small commands in files by topic.

``[project.scripts]`` starts :data:`main`. A command's file is imported when the command is named, and imports what it
needs when it runs, so that a light command loads no numerics, no charts and no web. Commands open their own
transaction, act, and answer; what they do stands in the packages that own it.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tocsin import __version__
from tocsin.cli.context import Context
from tocsin.cli.errors import problem_of

COMMANDS = {
    "init": "setup:init",
    "check-config": "setup:check_config",
    "run": "service:run",
    "demo": "service:demo",
    "replay": "replay:replay",
    "explain": "explain:explain",
    "calibrate": "calibrate:calibrate",
    "backtest": "backtest:backtest",
    "load": "load:load",
    "db": "database:db",
    "incidents": "incidents:incidents",
    "ack": "incidents:ack",
    "unack": "incidents:unack",
    "close": "incidents:close",
    "quarantine": "quarantine:quarantine",
    "counts": "checks:counts",
    "audit": "checks:audit",
    "people": "people:people",
    "rota": "rota:rota",
    "keys": "access:keys",
    "sign-in-link": "access:sign_in_link",
    "send-test": "access:send_test",
}
"""Each command's file and function, in the order in which help lists them."""


class _LazyGroup(click.Group):
    """Imports a command's file when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's protocol)
        """Return the commands' names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (as above)
        """Return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"tocsin.cli.{module}"), function)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's protocol)
        """Run the command; what goes wrong is one sentence, unless somebody debugs."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit) as told:
            if ctx.params.get("debug") and told.__cause__ is not None:
                import traceback

                traceback.print_exception(told.__cause__)
            raise
        except BrokenPipeError:
            raise  # whoever read our output has left; click ends quietly
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            raise problem_of(error) from error


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="tocsin", message="%(prog)s %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; else TOCSIN_CONFIG, else tocsin.toml here.",
)
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.pass_context
def main(ctx: click.Context, config: Path | None, debug: bool) -> None:
    """Tocsin: early warning for Local Drug Information Systems.

    Begin with `tocsin demo`, or make a folder of your own with `tocsin init`.
    """
    made = ctx.ensure_object(Context)
    made.config, made.debug = config, debug
