"""``tocsin run`` and ``tocsin demo``: the service, and the story that shows what it does."""

from pathlib import Path

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, refuse_missing_folder, told


@click.command()
@pass_context
def run(context: Context) -> None:
    """Start the service, until it is told to stop.

    That is the console, the API, and everything that works in the background.
    """
    from tocsin.cli.config_check import problems_in, what_stops_the_service

    if problems := what_stops_the_service(context.settings):
        raise Problem("\n".join(problems), USAGE)
    for problem in problems_in(context.settings):
        click.echo(f"Warning: {problem}", err=True)
    from schemas.migrations import UnknownVersionError
    from tocsin.service import AlreadyRunningError
    from tocsin.service import run as run_service

    with told(AlreadyRunningError, UnknownVersionError):
        status = run_service(context.settings)
    click.get_current_context().exit(status)


@click.command()
@click.option("--no-serve", is_flag=True, help="End when the story ends, instead of serving the console.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the incidents and the timeline to this file.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another quiet year.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the console; 0 takes a free one.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the demo's database here; left out, it is thrown away at the end.",
)
def demo(no_serve: bool, json_file: Path | None, seed: int, port: int | None, directory: Path | None) -> None:
    """Play a made-up story, then serve its console.

    Two years of Kent and Medway as history, a quiet year, and two clusters; then the console, until Ctrl-C.
    """
    refuse_missing_folder(json_file)
    from tocsin.demo import main as play

    play(serve=not no_serve, json_file=json_file, seed=seed, port=port, directory=directory)
