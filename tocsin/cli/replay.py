"""``tocsin replay``: the same engine on files of real records, as they became known."""

from datetime import datetime
from pathlib import Path

import click

from tocsin.cli.errors import USAGE, refuse_missing_folder, told

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--mapping", required=True, type=_FILE, help="TOML file that says how columns become events.")
@click.option(
    "--geography", required=True, type=_FILE, help="CSV of areas: code, name, parent, population, position."
)
@click.option("--aliases", type=_FILE, help="CSV of other spellings of the areas' names.")
@click.option("--geojson", type=_FILE, help="Boundaries of the areas, for the map.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the incidents and the timeline to this file.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of calibration.")
@click.option(
    "--from", "first_day", type=click.DateTime(["%Y-%m-%d"]), help="Earlier records teach, and page nobody."
)
@click.option("--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), help="Stop after this day.")
@click.option("--name", help="What people call the place; left out, the mapping's jurisdiction.")
@click.option("--time-zone", default="Europe/London", show_default=True, help="Where days begin and end.")
@click.option("--holiday-country", default="GB", show_default=True, help="ISO 3166 code, for bank holidays.")
@click.option("--holiday-subdivision", help="Part of that country, such as ENG.")
@click.option(
    "--calibration-years",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Simulated years from which thresholds are learnt; 0 learns none, and counts alone page nobody.",
)
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the database in this file; left out, it is thrown away.",
)
def replay(  # noqa: PLR0917 (click gives them by name)
    files: tuple[Path, ...],
    mapping: Path,
    geography: Path,
    aliases: Path | None,
    geojson: Path | None,
    json_file: Path | None,
    seed: int,
    first_day: datetime | None,
    last_day: datetime | None,
    name: str | None,
    time_zone: str,
    holiday_country: str,
    holiday_subdivision: str | None,
    calibration_years: int,
    database: Path | None,
) -> None:
    """Play real records as they became known.

    The same engine as ever takes the rows of FILES on the virtual clock, and says what it found.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from schemas.geography import GeographyError
    from streams.connectors.mapping import MappingError
    from tocsin.cli.config_check import holidays_problem

    if first_day is not None and last_day is not None and last_day < first_day:
        raise click.UsageError("--to must not be before --from.")
    refuse_missing_folder(json_file)
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.UsageError("--time-zone is not a known time zone, such as Europe/London.") from None
    if problem := holidays_problem(holiday_country, holiday_subdivision):
        raise click.UsageError(f"--{problem.replace('_', '-', 1)}")
    from tocsin.replay import ReplayError
    from tocsin.replay import main as play

    with told(MappingError, GeographyError, ReplayError, exit_code=USAGE):
        play(
            files,
            mapping=mapping,
            geography=geography,
            aliases=aliases,
            geojson=geojson,
            json_file=json_file,
            seed=seed,
            first_day=first_day.date() if first_day else None,
            last_day=last_day.date() if last_day else None,
            name=name,
            time_zone=time_zone,
            holiday_country=holiday_country,
            holiday_subdivision=holiday_subdivision,
            calibration_years=calibration_years,
            database=database,
        )
