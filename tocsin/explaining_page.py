"""An explanation as pictures and as a whole page: for ``tocsin explain --chart`` and ``--html``.

From the document of ``tocsin/explaining.py``; everything is inside.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from alerts.charts import DayCount, Spec, epidemic_curve, to_png, to_svg
from tocsin import explaining_words
from tocsin.cli.output import said
from tocsin.explaining_counts import Json
from tocsin.explaining_words import class_words, feed_words
from tocsin.report_pages import inline, page

_INK = "#0b0c0c"


class NoPictureError(ValueError):
    """There is no chart to draw; the message says why."""


def curve(document: Mapping[str, Any]) -> Spec:
    """Return the chart of the last weeks: what was seen, what was expected, and the signal's own days.

    Raises
    ------
    NoPictureError
        For a signal without counts.
    """
    if not document.get("days"):
        raise NoPictureError(
            "A tripwire looks at single events, so it has no counts to draw; --html shows its rule and evidence."
        )
    feeds = " and ".join(feed_words(one["feed"]) for one in document["signal"]["feeds"])
    title = f"{document['place']}: {feeds}, {class_words(document['signal']['substance_class'])} (internal)"
    return epidemic_curve(
        [
            DayCount(
                date.fromisoformat(one["day"]), one["count"], one["expected"], in_window=one["in_window"]
            )
            for one in document["days"]
        ],
        title=title,
    )


def weekly(history: Mapping[str, Any]) -> Spec:
    """Return the chart of the last year that the baseline knew, week by week."""
    import altair as alt

    rows = history["weekly"]
    base = alt.Chart(alt.InlineData(values=rows))
    x = alt.X("week_from:T", title=None, axis=alt.Axis(format="%-d %b %Y", labelAngle=-40))
    bars = base.mark_bar(color="#b1b4b6").encode(
        x=x, y=alt.Y("count:Q", title="Events a week", axis=alt.Axis(tickMinStep=1))
    )
    line = base.mark_line(color="#d4351c", strokeDash=[4, 3]).encode(x=x, y="expected:Q")
    chart = alt.layer(bars, line).properties(
        title=f"{feed_words(history['feed'])}: the year before, and what the baseline makes of it",
        width=640,
        height=160,
    )
    spec: Spec = (
        chart.configure_view(stroke=None)
        .configure_title(fontSize=13, anchor="start", color=_INK)
        .to_dict(validate=False)
    )
    return spec


def write_chart(document: Mapping[str, Any], path: Path) -> None:
    """Draw the chart into a file; its ending says how: .svg, .png, or .html for a page with nothing else on it."""
    spec = curve(document)
    if path.suffix == ".png":
        path.write_bytes(to_png(spec))
    elif path.suffix == ".svg":
        path.write_text(to_svg(spec) + "\n", encoding="utf-8")
    else:
        title = f"Signal {document['id']}"
        content = {"document": document, "lines": [document["signal"]["sentence"]]}
        pictures = [("The last weeks", inline(spec, title))]
        path.write_text(
            page("explain.html", content, pictures=pictures, sections=[], tables=[]) + "\n", encoding="utf-8"
        )


def whole_page(document: Json) -> str:
    """Return the explanation as one HTML page."""
    pictures = []
    if document.get("days"):
        pictures.append(("The last eight weeks", inline(curve(document), document["signal"]["sentence"])))
    for feed in document.get("feeds", ()):
        if feed["history"] and feed["history"]["weekly"]:
            words = f"Weekly counts of {feed_words(feed['feed'])}"
            pictures.append((words, inline(weekly(feed["history"]), words)))
    tables = [
        (title, headings, [[said(cell) if cell != "" else "" for cell in row] for row in rows])
        for title, headings, rows in explaining_words.tables(document)
    ]
    return (
        page(
            "explain.html",
            {"document": document, "lines": list(explaining_words.headline(document))},
            pictures=pictures,
            sections=list(sections(document)),
            tables=tables,
        )
        + "\n"
    )


def sections(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the parts of an explanation that are sentences: thresholds or rule, and each feed's history."""
    if "rule" in document:
        yield "The rule", list(explaining_words.rule_lines(document["rule"]))
    else:
        yield "Thresholds", list(explaining_words.threshold_lines(document["thresholds"]))
    for feed in document.get("feeds", ()):
        if feed["history"] is not None:
            words = f"What {feed_words(feed['feed'])} taught"
            yield words, list(explaining_words.history_lines(feed["history"]))
