"""The pictures of a backtest's report, each one declarative spec made from the report's own figures.

Drawn offline as SVG and put into the page; everything on them is inside.
"""

from collections.abc import Mapping
from typing import Any

from alerts.charts import Spec
from tocsin.explaining_words import feed_words

_INK = "#0b0c0c"
_QUIET = "#b1b4b6"
_BLUE = "#1d70b8"
_RED = "#d4351c"
_GREEN = "#00703c"
_WIDTH = 720


def budgets(content: Mapping[str, Any]) -> Spec:
    """Pages a year at each budget, labelled and not, beside what the budget allows."""
    import altair as alt

    rows = [
        {"budget": f"{one['pages_per_year']:g}", "kind": kind, "a_year": count / content["period"]["years"]}
        for one in content["budgets"]
        for kind, count in (("labelled", one["labelled"]), ("unlabelled", one["unlabelled"]))
    ]
    allowed = [
        {"budget": f"{one['pages_per_year']:g}", "a_year": one["pages_per_year"]}
        for one in content["budgets"]
    ]
    x = alt.X("budget:N", title="Budget: false pages a year", sort=None, axis=alt.Axis(labelAngle=0))
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("a_year:Q", title="Pages a year"),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=["labelled", "unlabelled"], range=[_GREEN, _QUIET]),
                legend=alt.Legend(orient="top"),
            ),
        )
    )
    ticks = (
        alt.Chart(alt.InlineData(values=allowed))
        .mark_tick(color=_RED, thickness=3, width=60)
        .encode(x=x, y="a_year:Q")
    )
    return _finished(
        alt.layer(bars, ticks).properties(
            title="Pages a year at each budget (red: what the budget allows of false ones)",
            width=480,
            height=220,
        )
    )


def weeks(content: Mapping[str, Any]) -> Spec:
    """Weekly counts of each feed over the period, with the pages of the reference budget."""
    import altair as alt

    first, last = content["period"]["first"], content["period"]["last"]
    reference = content["reference_budget"]
    marks = [
        {"day": one["day"], "kind": "labelled" if one["labels"] else "unlabelled"}
        for one in content["pages"]
        if one["from_budget"] <= reference
    ]
    scale = alt.Scale(domain=[first, last])
    x = alt.X("week_from:T", title=None, scale=scale, axis=alt.Axis(format="%b %Y", labelAngle=-40))
    parts: list[Any] = []
    for feed, rows in content["weekly"].items():
        bars = (
            alt.Chart(alt.InlineData(values=rows))
            .mark_area(color=_BLUE, opacity=0.5, interpolate="step-after", line={"color": _BLUE, "size": 1})
            .encode(x=x, y=alt.Y("count:Q", title="Events a week"))
        )
        rules = (
            alt.Chart(alt.InlineData(values=marks))
            .mark_rule(strokeWidth=1.5)
            .encode(
                x=alt.X("day:T", scale=scale),
                color=alt.Color(
                    "kind:N",
                    title="pages",
                    scale=alt.Scale(domain=["labelled", "unlabelled"], range=[_GREEN, _RED]),
                    legend=alt.Legend(orient="top"),
                ),
            )
        )
        layers = alt.layer(bars, rules) if marks else bars
        parts.append(layers.properties(title=feed_words(feed), width=_WIDTH, height=130))
    return _finished(alt.vconcat(*parts))


def delays(content: Mapping[str, Any]) -> Spec:
    """How many days after its beginning each labelled outbreak paged, at each budget."""
    import altair as alt

    order = [f"{one['pages_per_year']:g}" for one in content["budgets"]]
    y = alt.Y("budget:N", title="Budget", sort=order)
    parts: list[Any] = []
    for label in content["labels"]:
        rows = [
            {
                "budget": f"{one['budget']:g}",
                "delay": one["delay_days"],
                "word": "missed" if one["delay_days"] is None else f"day {one['delay_days']}",
            }
            for one in label["pages"]
        ]
        found = [row for row in rows if row["delay"] is not None]
        missed = [{**row, "delay": 0} for row in rows if row["delay"] is None]
        x = alt.X("delay:Q", title="Days from its first day to the page", axis=alt.Axis(tickMinStep=1))
        layers: list[Any] = []
        for part, colour in ((found, _INK), (missed, _RED)):
            if part:
                base = alt.Chart(alt.InlineData(values=part)).encode(x=x, y=y)
                layers += [
                    base.mark_bar(color=_BLUE, size=10),
                    base.mark_text(align="left", dx=4, color=colour, fontSize=11).encode(text="word:N"),
                ]
        parts.append(alt.layer(*layers).properties(title=label["name"], width=480, height=22 * len(order)))
    return _finished(alt.vconcat(*parts).resolve_scale(x="shared"))


def feeds(content: Mapping[str, Any]) -> Spec:
    """What the reference budget found with every feed and without each of them."""
    import altair as alt

    rows = []
    for one in content["leave_one_out"]:
        words = f"without {feed_words(one['feed'])}"
        for what, name in (
            ("labels found", "labels_found_without"),
            ("unlabelled pages", "unlabelled_without"),
        ):
            rows.append({"which": words, "what": what, "number": one[name]})
    first = content["leave_one_out"][0]
    for what, name in (("labels found", "labels_found_with"), ("unlabelled pages", "unlabelled_with")):
        rows.insert(0, {"which": "all feeds", "what": what, "number": first[name]})
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(color=_BLUE)
        .encode(
            x=alt.X("number:Q", title=None, axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("which:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)),
            column=alt.Column("what:N", title=None),
        )
        .properties(width=240, height=30 * (len(rows) // 2))
    )
    return _finished(chart)


def _finished(chart: Any) -> Spec:  # noqa: ANN401 (Altair's charts share no useful type)
    spec: Spec = (
        chart.configure_view(stroke=None)
        .configure_title(fontSize=13, anchor="start", color=_INK)
        .configure_axis(labelColor=_INK, titleColor=_INK, labelFontSize=11, titleFontSize=11)
        .to_dict(validate=False)
    )
    return spec
