"""``tocsin calibrate``: thresholds for this jurisdiction, and the smallest cluster that they would find."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, refuse_missing_folder, told
from tocsin.cli.output import print_table

if TYPE_CHECKING:
    from detectors.budget import Budget
    from tocsin.calibrating import Smallest
    from tocsin.calibrating_people import FewestPeople
    from tocsin.learnt import Learnt

_FILE = click.Path(dir_okay=False, path_type=Path)
_FEWEST_PAGES = 0.05


class _Period(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """Two days, both included."""

    name = "first:last"

    def convert(
        self,
        value: Any,  # noqa: ANN401 (click's)
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[date, date]:
        """Read FIRST:LAST."""
        if isinstance(value, tuple):
            return value[0], value[1]
        first, _, last = str(value).partition(":")
        try:
            period = date.fromisoformat(first), date.fromisoformat(last)
        except ValueError:
            self.fail("it must be two days such as 2016-06-20:2016-07-10", param, ctx)
        if period[1] < period[0]:
            self.fail("its last day is before its first", param, ctx)
        return period


@click.command()
@click.option("--jurisdiction", help="Which; the only one, if there is one.")
@click.option(
    "--years", type=click.IntRange(min=1), help="Simulated years; left out, 120 for Kent and 200 else."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=2026, show_default=True, help="Of the simulation."
)
@click.option(
    "--budget-pages",
    type=click.FloatRange(min=_FEWEST_PAGES),
    default=4.0,
    show_default=True,
    help="False pages a year that the jurisdiction agrees to bear.",
)
@click.option(
    "--budget-reviews",
    type=click.FloatRange(min=_FEWEST_PAGES),
    default=2.0,
    show_default=True,
    help="False reviews a week.",
)
@click.option(
    "--leave-out",
    type=_Period(),
    multiple=True,
    help="A period FIRST:LAST in which something real happened: it teaches nothing. May be given again.",
)
@click.option("--out", type=_FILE, help="Write the thresholds to this file.")
@click.option(
    "--smallest-only", is_flag=True, help="Learn nothing; show what the thresholds in force would find."
)
@click.option(
    "--class",
    "class_name",
    default="any",
    show_default=True,
    help="Substance class of the smallest clusters, such as opiate or nitazene.",
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Do it as at the end of this day, from what was known then; left out, now.",
)
@click.option(
    "--json", "json_file", type=_FILE, help="Write rates and smallest clusters as JSON to this file."
)
@click.option("--csv", "csv_file", type=_FILE, help="Write the smallest clusters as CSV to this file.")
@pass_context
def calibrate(  # noqa: PLR0917 (click gives them by name)
    context: Context,
    jurisdiction: str | None,
    years: int | None,
    seed: int,
    budget_pages: float,
    budget_reviews: float,
    leave_out: tuple[tuple[date, date], ...],
    out: Path | None,
    smallest_only: bool,
    class_name: str,
    day: datetime | None,
    json_file: Path | None,
    csv_file: Path | None,
) -> None:
    """Learn thresholds from simulated histories in which nothing happens.

    Shows how many false alarms they allow beside how many the simulation gave, and the smallest cluster that would be
    found here today, by area, feed and window.
    """
    if smallest_only and (out is not None or years is not None or leave_out):
        raise click.UsageError("--smallest-only learns nothing: leave out --out, --years and --leave-out.")
    for file in (out, json_file, csv_file):
        refuse_missing_folder(file)
    from detectors.budget import Budget
    from schemas.clock import civil_day, start_of_day
    from schemas.substances import SubstanceClass
    from streams.detectors import detectors_of
    from tocsin.calibrating import (
        WINDOWS,
        NotEnoughRecordsError,
        Wish,
        in_force,
        learn_thresholds,
        smallest_clusters,
    )
    from tocsin.calibrating_people import fewest_people
    from tocsin.learnt import ThresholdsError, learnt_for
    from tocsin.progress import progress

    try:
        substance_class = SubstanceClass(class_name)
    except ValueError:
        known = ", ".join(one.value for one in SubstanceClass)
        raise click.UsageError(f"--class must be one of {known}.") from None
    place = context.jurisdiction(jurisdiction)
    profile = context.profiles[place]
    budget = Budget(pages_per_year=budget_pages, reviews_per_week=budget_reviews)
    now = context.now()
    if day is not None:
        now = min(now, start_of_day(day.date() + timedelta(days=1), profile.zone) - timedelta(microseconds=1))
    with context.database() as database, database.read() as connection:
        if smallest_only:
            with told(ThresholdsError, exit_code=USAGE):
                learnt = learnt_for(place, context.settings.jurisdictions[place].thresholds)
        else:
            with told(NotEnoughRecordsError):
                wish = Wish(seed=seed, budget=budget, years=years, leave_out=leave_out)
                learnt = learn_thresholds(connection, profile, wish, now)
        fitted = in_force(connection, profile, now)
    today = civil_day(now, profile.zone)
    smallest = smallest_clusters(profile, learnt.counts, fitted, today, substance_class)
    areas = len(profile.geography.detection_areas())
    with progress("Looking for the fewest people", areas) as tell:
        people = fewest_people(
            profile,
            fitted,
            detectors_of(profile),
            learnt.counts,
            today,
            windows=WINDOWS,
            substance_class=substance_class,
            progress=tell,
        )
    if not smallest_only and learnt.counts.years == 0:
        raise Problem("The simulated histories taught nothing; give more --years.")
    click.echo("INTERNAL: true numbers; do not pass this on.")
    _print_rates(profile.name, learnt, budget, in_force=smallest_only)
    _print_smallest(smallest, people, class_name, today)
    _write(
        learnt,
        budget,
        smallest,
        people,
        out=None if smallest_only else out,
        json_file=json_file,
        csv_file=csv_file,
    )
    if out is not None:
        click.echo(
            f"\nTo use the thresholds, write in the settings file, and start Tocsin again:\n"
            f'  [jurisdictions.{place}]\n  thresholds = "{out}"'
        )
    elif not smallest_only:
        click.echo("\nThe thresholds were not kept; add --out FILE to keep them.")


def _print_rates(name: str, learnt: "Learnt", budget: "Budget", *, in_force: bool) -> None:
    from tocsin.calibrating import realised_rows

    counts = learnt.counts
    if in_force:
        click.echo(f"{name}: the thresholds in force. {counts.note}")
    else:
        click.echo(
            f"{name}: {budget.pages_per_year:g} false pages a year and {budget.reviews_per_week:g} false reviews a week "
            f"are allowed. {counts.note}"
        )
    rows = [
        (
            one["family"],
            one["tier"],
            f"{one['unit']} {one['from']:g}",
            f"{one['nominal_per_year']:.2f}",
            "differs by area" if one["realised_per_year"] is None else f"{one['realised_per_year']:.2f}",
            "" if one["standard_error"] is None else f"{one['standard_error']:.2f}",
            "fewer than allowed: lower scores only join the same episodes"
            if one["limited_by_merging"]
            else "",
        )
        for one in realised_rows(learnt, budget)
    ]
    print_table(
        ("family", "tier", "from", "nominal a year", "realised a year", "standard error", "note"),
        rows,
        empty="These thresholds were stated and not learnt: counts alone page nobody.",
    )


def _print_smallest(
    smallest: Sequence["Smallest"], people: Sequence["FewestPeople"], class_name: str, day: date
) -> None:
    from tocsin.calibrating import as_table
    from tocsin.report import FEED_WORDS

    what = "all substances" if class_name == "any" else class_name.replace("_", " ")
    click.echo(
        f"\nThe smallest cluster that counts alone would find on {day}, {what}: events that page (in brackets: that "
        "ask for a review), by how many days they come in."
    )
    headings, rows = as_table(smallest, people, FEED_WORDS)
    print_table(headings, rows, empty="There is no area.")
    click.echo(
        "A dash: no count of this feed would, because it is too young here, samples alone never page, or the thresholds "
        "were not learnt."
    )
    if people:
        click.echo(
            "People in both: through all detectors together, if the ambulance and A&E each see every one of them."
        )


def _write(
    learnt: "Learnt",
    budget: "Budget",
    smallest: Sequence["Smallest"],
    people: Sequence["FewestPeople"],
    *,
    out: Path | None,
    json_file: Path | None,
    csv_file: Path | None,
) -> None:
    from tocsin import report
    from tocsin.calibrating import as_csv, as_json, people_as_json, realised_rows

    if out is not None:
        out.write_text(learnt.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if json_file is not None:
        content = {
            "classification": "internal",
            "jurisdiction": learnt.jurisdiction,
            "budget": budget.model_dump(mode="json"),
            "years": learnt.counts.years,
            "seed": learnt.counts.seed,
            "note": learnt.counts.note,
            "rates": list(realised_rows(learnt, budget)),
            "smallest_clusters": as_json(smallest),
            "fewest_people": people_as_json(people),
        }
        report.write(json_file, content)
    if csv_file is not None:
        csv_file.write_text(as_csv(smallest), encoding="utf-8")
    for file in (out, json_file, csv_file):
        if file is not None:
            click.echo(f"Wrote {file}.", err=True)
