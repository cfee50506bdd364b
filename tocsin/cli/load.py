"""``tocsin load``: a partner's CSV file into the event log, by a mapping."""

from pathlib import Path

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, told


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file that says how columns become events.",
)
@click.option("--jurisdiction", help="Whose records they are; the only one, if there is one.")
@click.option("--backfill", is_flag=True, help="Old records: they teach the baseline and page nobody.")
@pass_context
def load(context: Context, file: Path, mapping: Path, jurisdiction: str | None, backfill: bool) -> None:
    """Take in a partner's CSV file.

    FILE is .csv or .csv.gz. Loading it again is harmless.
    """
    from schemas.substances import default_taxonomy
    from schemas.vocabulary import Delivery
    from streams.connectors.mapping import MappingError, load_mapping
    from streams.log.embedded import EmbeddedLog
    from tocsin.loading import load_file
    from tocsin.progress import progress

    place = context.jurisdiction(jurisdiction)
    with told(MappingError, exit_code=USAGE):
        rule = load_mapping(mapping)
    with (
        context.database() as database,
        told(MappingError),
        progress(f"Loading {file.name}", _lines_in(file)) as on_rows,
    ):
        done = load_file(
            database,
            EmbeddedLog(database),
            file,
            rule,
            context.profiles[place],
            default_taxonomy(),
            received_at=context.now(),
            delivery=Delivery.BACKFILL if backfill else Delivery.LIVE,
            on_rows=on_rows,
        )
    click.echo(
        f"{done.rows:,} rows: {done.logged:,} taken in, {done.filtered:,} filtered out by the mapping, "
        f"{done.quarantined:,} in quarantine."
    )
    if done.not_placed:
        click.echo(f"{done.not_placed:,} name no known area and count for the whole of {place}.")
    if done.quarantined:
        click.echo("See why with `tocsin quarantine list`.")
    click.echo("They are in the event log; `tocsin run` counts them within a second.")


def _lines_in(file: Path) -> int:
    """Return about how many rows there are, for the progress bar; a compressed file is guessed at."""
    with file.open("rb") as stream:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))
    return max(lines * (8 if file.suffix == ".gz" else 1), 1)
