"""``tocsin backtest``: a period played once, judged at several budgets, and a report."""

from contextlib import AbstractContextManager, ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, refuse_missing_folder, told

if TYPE_CHECKING:
    from tocsin.backtest_records import Files, Records, Wanted

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FEWEST_PAGES = 0.05


class _Budgets(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """Numbers with commas between them."""

    name = "numbers"

    def convert(
        self,
        value: Any,  # noqa: ANN401 (click's)
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, ...]:
        """Read 2,4,8."""
        try:
            found = tuple(sorted({float(part) for part in str(value).split(",")}))
        except ValueError:
            self.fail("it must be numbers with commas between them, such as 2,4,8,12", param, ctx)
        if not all(_FEWEST_PAGES <= one < float("inf") for one in found):
            self.fail(f"each must be {_FEWEST_PAGES:g} pages a year or more", param, ctx)
        return found


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option(
    "--database", "from_database", is_flag=True, help="Use the service's own records, and no files."
)
@click.option("--jurisdiction", help="With --database: which; the only one, if there is one.")
@click.option(
    "--mapping",
    "mappings",
    type=_FILE,
    multiple=True,
    help="TOML file that says how columns become events; one for all FILES, or one for each in the same order.",
)
@click.option("--geography", type=_FILE, help="CSV of areas: code, name, parent, population, position.")
@click.option("--aliases", type=_FILE, help="CSV of other spellings of the areas' names.")
@click.option("--name", help="What people call the place; left out, the mapping's jurisdiction.")
@click.option("--time-zone", default="Europe/London", show_default=True, help="Where days begin and end.")
@click.option("--holiday-country", default="GB", show_default=True, help="ISO 3166 code, for bank holidays.")
@click.option("--holiday-subdivision", help="Part of that country, such as ENG.")
@click.option(
    "--labels", type=_FILE, help="CSV of outbreaks known to be real: name, start, end, areas, and class."
)
@click.option(
    "--budgets",
    type=_Budgets(),
    default="2,4,8,12",
    show_default=True,
    help="False pages a year, with commas between them.",
)
@click.option(
    "--from",
    "first_day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day; what was known before it teaches.",
)
@click.option("--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), help="Last day.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of calibration.")
@click.option(
    "--calibration-years",
    type=click.IntRange(min=1),
    help="Simulated years from which thresholds are learnt: 200 for files; with --database, those in force are used "
    "unless this is given.",
)
@click.option(
    "--leave-one-out/--no-leave-one-out",
    default=True,
    show_default=True,
    help="Look again without each feed, to say what it added; takes as long again for each.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="backtest.html",
    show_default=True,
    help="The report; its figures are written beside it, as .json.",
)
@pass_context
def backtest(  # noqa: PLR0917 (click gives them by name)
    context: Context,
    files: tuple[Path, ...],
    from_database: bool,
    jurisdiction: str | None,
    mappings: tuple[Path, ...],
    geography: Path | None,
    aliases: Path | None,
    name: str | None,
    time_zone: str,
    holiday_country: str,
    holiday_subdivision: str | None,
    labels: Path | None,
    budgets: tuple[float, ...],
    first_day: datetime | None,
    last_day: datetime | None,
    seed: int,
    calibration_years: int | None,
    leave_one_out: bool,
    out: Path,
) -> None:
    """Judge a past period at several budgets of false pages.

    Plays the records of FILES, or those of the service's database, through the service's own detectors, scores what
    they found against labelled outbreaks if there are any, and writes a report with charts. Nobody is told anything.
    """
    if bool(files) == from_database:
        raise click.UsageError("Give FILES or --database, and not both.")
    if files and (not mappings or geography is None):
        raise click.UsageError("FILES need --mapping and --geography.")
    if from_database and (mappings or geography or aliases or name):
        raise click.UsageError("--database takes the place from the settings: leave out what FILES need.")
    if first_day is not None and last_day is not None and last_day < first_day:
        raise click.UsageError("--to must not be before --from.")
    if out.suffix == ".json":
        raise click.UsageError("--out names the page; its figures are written beside it, as .json.")
    refuse_missing_folder(out)
    from schemas.geography import GeographyError
    from streams.connectors.mapping import MappingError
    from tocsin.backtest_labels import LabelsError
    from tocsin.backtest_records import BacktestError, Files, Wanted
    from tocsin.learnt import ThresholdsError
    from tocsin.logging import configure_logging

    configure_logging("warning", json=False)
    wanted = Wanted(_day(first_day), _day(last_day), seed, calibration_years)
    with ExitStack() as stack:
        stack.enter_context(
            told(BacktestError, LabelsError, MappingError, GeographyError, ThresholdsError, exit_code=USAGE)
        )
        if from_database:
            opened = _of_database(context, jurisdiction, wanted, stack)
        else:
            _check_place(time_zone, holiday_country, holiday_subdivision)
            assert geography is not None  # noqa: S101 (refused above)
            opened = _of_files(
                Files(
                    files,
                    mappings,
                    geography,
                    aliases=aliases,
                    name=name,
                    time_zone=time_zone,
                    holiday_country=holiday_country,
                    holiday_subdivision=holiday_subdivision,
                ),
                wanted,
            )
        _report(stack.enter_context(opened), labels, budgets, out, leave_one_out=leave_one_out)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment is not None else None


def _check_place(time_zone: str, country: str, subdivision: str | None) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from tocsin.cli.config_check import holidays_problem

    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.UsageError("--time-zone is not a known time zone, such as Europe/London.") from None
    if problem := holidays_problem(country, subdivision):
        raise click.UsageError(f"--{problem.replace('_', '-', 1)}")


def _of_files(files: "Files", wanted: "Wanted") -> "AbstractContextManager[Records]":
    from tocsin.backtest_records import from_files

    return from_files(files, wanted)


def _of_database(
    context: Context, name: str | None, wanted: "Wanted", stack: ExitStack
) -> "AbstractContextManager[Records]":
    from tocsin.backtest_records import from_database
    from tocsin.learnt import learnt_for

    place = context.jurisdiction(name)
    database = stack.enter_context(context.database())
    learnt = learnt_for(place, context.settings.jurisdictions[place].thresholds)
    return from_database(database, context.profiles[place], learnt, wanted, context.now())


def _report(
    records: "Records", labels: Path | None, budgets: tuple[float, ...], out: Path, *, leave_one_out: bool
) -> None:
    from tocsin import report
    from tocsin.backtest import Asked, backtest
    from tocsin.backtest_labels import read_labels
    from tocsin.backtest_page import report_page, summary

    known = read_labels(labels, records.profile.geography) if labels is not None else []
    content = backtest(records, Asked(budgets=budgets, labels=known, leave_one_out=leave_one_out))
    out.write_text(report_page(content), encoding="utf-8")
    report.write(out.with_suffix(".json"), content)
    click.echo("INTERNAL: true numbers; do not pass this on.")
    for line in summary(content):
        click.echo(line)
    click.echo(f"Wrote {out} and {out.with_suffix('.json').name}.")
