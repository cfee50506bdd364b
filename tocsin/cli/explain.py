"""``tocsin explain``: what stands behind a signal, worked out again from what was known then."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tocsin.cli.context import Context, pass_context
from tocsin.cli.errors import USAGE, Problem, refuse_missing_folder, told
from tocsin.cli.output import print_json, print_table

if TYPE_CHECKING:
    from schemas.vocabulary import Jurisdiction
    from tocsin.explaining_counts import Json

_FILE = click.Path(dir_okay=False, path_type=Path)
_PICTURES = (".svg", ".png", ".html")


@click.command()
@click.argument("signal", required=False)
@click.option("--jurisdiction", help="Only this one's signals.")
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, stamped internal.")
@click.option("--chart", type=_FILE, help="Draw the last weeks into this file: .svg, .png or .html.")
@click.option("--html", "html_file", type=_FILE, help="Write the whole explanation as one page to this file.")
@pass_context
def explain(
    context: Context,
    signal: str | None,
    jurisdiction: str | None,
    last: int,
    as_json: bool,
    chart: Path | None,
    html_file: Path | None,
) -> None:
    """Show what stands behind a signal; without one, list the recent ones.

    SIGNAL is a number, or detector:key:day as the list shows it. The numbers are worked out again from what was known
    when the signal was last written, and it is said whether they are the ones that were stored.
    """
    if signal is None and (chart is not None or html_file is not None):
        raise click.UsageError("--chart and --html need a signal; `tocsin explain` lists them.")
    if chart is not None and chart.suffix not in _PICTURES:
        raise click.UsageError(f"--chart must end in {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}.")
    for file in (chart, html_file):
        refuse_missing_folder(file)
    names = (
        [context.jurisdiction(jurisdiction)]
        if jurisdiction
        else sorted(map(_slug, context.settings.jurisdictions))
    )
    if signal is None:
        _list(context, names, last, as_json=as_json)
        return
    document = _document(context, signal, names)
    if chart is not None or html_file is not None:
        _draw(document, chart, html_file)
    if as_json:
        print_json(document, internal=True)
    else:
        _print(document)
    # On standard error, so that --json stays JSON.
    for file in (chart, html_file):
        if file is not None:
            click.echo(f"Wrote {file}.", err=True)


def _slug(name: str) -> "Jurisdiction":
    from schemas.vocabulary import Jurisdiction

    return Jurisdiction(name)


def _list(context: Context, names: Sequence["Jurisdiction"], last: int, *, as_json: bool) -> None:
    from tocsin.explaining_stored import recent

    with context.database() as database, database.read() as connection:
        found = recent(connection, names, last)
    if as_json:
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "jurisdiction": one.signal.jurisdiction,
                "tier": one.signal.tier.value,
                "last_seen_at": one.last_seen_at,
                "sentence": one.signal.sentence,
            }
            for one in found
        ]
        print_json({"signals": rows}, internal=True)
        return
    print_table(
        ("no.", "written", "tier", "name", "says"),
        [(one.id, one.last_seen_at, one.signal.tier.value, one.name, one.signal.sentence) for one in found],
        empty="No signal has been given yet.",
    )


def _document(context: Context, wanted: str, names: Sequence["Jurisdiction"]) -> "Json":
    from streams.detectors import detectors_of
    from tocsin.explaining import explain as explained
    from tocsin.explaining_stored import NoSuchSignal, find
    from tocsin.learnt import ThresholdsError, learnt_for

    with context.database() as database, database.read() as connection:
        with told(NoSuchSignal):
            stored = find(connection, wanted, names)
        place = stored.signal.jurisdiction
        profile = context.profiles[place]
        with told(ThresholdsError, exit_code=USAGE):
            learnt = learnt_for(place, context.settings.jurisdictions[place].thresholds)
        return explained(connection, stored, profile, learnt, detectors_of(profile))


def _draw(document: "Json", chart: Path | None, html_file: Path | None) -> None:
    from tocsin.explaining_page import NoPictureError, whole_page, write_chart

    try:
        if chart is not None:
            write_chart(document, chart)
    except NoPictureError as error:
        raise Problem(str(error), USAGE) from error
    if html_file is not None:
        html_file.write_text(whole_page(document), encoding="utf-8")


def _print(document: "Json") -> None:
    from tocsin.explaining_page import sections
    from tocsin.explaining_words import headline, strip, tables

    click.echo("INTERNAL: true numbers; do not pass this on.")
    for line in headline(document):
        click.echo(line)
    if document.get("days"):
        click.echo("")
        for line in strip(document["days"]):
            click.echo(line)
    for title, lines in sections(document):
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")
    for title, headings, rows in tables(document):
        click.echo(f"\n{title}")
        print_table(headings, rows, empty="None.")
    for other in document["same_day"]:
        click.echo(f"Also that day: {other['id']} ({other['tier']}) {other['sentence']}")
