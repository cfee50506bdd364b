"""Pictures of an incident from one declarative spec each: the epidemic curve, the map, the 14-day strip.

The console asks for SVG, messages for PNG; both are drawn offline, without a browser. Functions take data, never a
connection. Curve and map hold true numbers and are for the signed-in console alone; only the strip may leave, because it
is made of bands. The drawing libraries load on the first picture, so that commands without one stay light.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final, Literal

from schemas.disclosure import CountBand

Spec = dict[str, Any]
"""A Vega-Lite specification."""

_INK: Final = "#0b0c0c"
_QUIET: Final = "#b1b4b6"
_CASES: Final = "#1d70b8"
_EXPECTED: Final = "#d4351c"
_BANDS: Final[Mapping[CountBand, str]] = {
    CountBand.NONE: "#f3f2f1",
    CountBand.FEW: "#8eb8dc",
    CountBand.MORE: "#12436d",
}
_ON_BAND: Final[Mapping[CountBand, str]] = {
    CountBand.NONE: _INK,
    CountBand.FEW: _INK,
    CountBand.MORE: "#ffffff",
}


@dataclass(frozen=True, slots=True)
class DayCount:
    """One civil day of an epidemic curve. Inside use only."""

    day: date
    count: int
    expected: float | None = None
    in_window: bool = False
    """Whether the day lies in the window of the strongest signal."""


def epidemic_curve(days: Sequence[DayCount], *, title: str, width: int = 640, height: int = 220) -> Spec:
    """Return the curve: a bar a day, the window of the signal darker, what was expected as a line."""
    import altair as alt  # noqa: PLC0415 (heavy)

    rows = [
        {
            "day": item.day.isoformat(),
            "count": item.count,
            "expected": item.expected,
            "part": "the signal's days" if item.in_window else "other days",
        }
        for item in days
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    # Noon, so that no time zone of the machine that draws moves a day.
    words = "timeFormat(toDate(datum.value + 'T12:00'), '%-d %b')"
    x = alt.X("day:O", title=None, axis=alt.Axis(labelExpr=words, labelOverlap=True))
    bars = base.mark_bar().encode(
        x=x,
        y=alt.Y("count:Q", title="Events a day", axis=alt.Axis(tickMinStep=1, format="d")),
        color=alt.Color(
            "part:N",
            title=None,
            scale=alt.Scale(domain=["the signal's days", "other days"], range=[_CASES, _QUIET]),
            legend=alt.Legend(orient="top"),
        ),
    )
    layers: list[Any] = [bars]
    if any(item.expected is not None for item in days):
        layers.append(
            base.transform_filter("datum.expected !== null")
            .mark_line(color=_EXPECTED, strokeDash=[4, 3], strokeWidth=2)
            .encode(
                x=x, y=alt.Y("expected:Q", title="Events a day", axis=alt.Axis(tickMinStep=1, format="d"))
            )
        )
    return _finished(alt.layer(*layers).properties(title=title, width=width, height=height))


def area_map(
    boundaries: Mapping[str, Any],
    counts: Mapping[str, int],
    *,
    marked: Sequence[str] = (),
    title: str,
    width: int = 480,
    height: int = 360,
) -> Spec:
    """Return the map: areas shaded by count, those of the incident outlined.

    Parameters
    ----------
    boundaries : mapping
        A GeoJSON FeatureCollection whose features have ``properties`` with ``code`` and ``name``.
    counts : mapping of str to int
        By code; an area that is not in it is drawn as 0.
    marked : sequence of str
        Codes of the incident's areas.
    """
    import altair as alt  # noqa: PLC0415 (heavy)

    features = [
        {
            "type": "Feature",
            "geometry": rewound(feature["geometry"]),
            "properties": {
                "name": feature["properties"]["name"],
                "count": counts.get(feature["properties"]["code"], 0),
                "marked": feature["properties"]["code"] in marked,
            },
        }
        for feature in boundaries["features"]
    ]
    chart = (
        alt.Chart(alt.InlineData(values=features))
        .mark_geoshape(strokeJoin="round")
        .encode(
            color=alt.Color(
                "properties.count:Q",
                title="Events",
                scale=alt.Scale(scheme="blues", domainMin=0, domainMax=max([1, *counts.values()])),
                legend=alt.Legend(tickMinStep=1, format="d"),
            ),
            stroke=alt.condition("datum.properties.marked", alt.value(_EXPECTED), alt.value("#ffffff")),
            strokeWidth=alt.condition("datum.properties.marked", alt.value(3), alt.value(1)),
        )
        .project(type="mercator")
        .properties(title=title, width=width, height=height)
    )
    return _finished(chart)


def strip(bands: Sequence[CountBand], label: str, *, width: int = 420) -> Spec:
    """Return the strip: a square a day, oldest first, in one of three shades with its words in it."""
    import altair as alt  # noqa: PLC0415 (heavy)

    rows = [{"place": index, "band": band.value, "ink": _ON_BAND[band]} for index, band in enumerate(bands)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("place:O", axis=None))
    squares = base.mark_rect(stroke=_QUIET).encode(
        color=alt.Color(
            "band:N",
            scale=alt.Scale(domain=[band.value for band in _BANDS], range=list(_BANDS.values())),
            legend=None,
        )
    )
    words = base.mark_text(fontSize=10).encode(
        text="band:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    return _finished(
        alt.layer(squares, words)
        .resolve_scale(color="independent")
        .properties(title=f"{label} (oldest first)", width=width, height=30)
    )


def strip_png(bands: Sequence[CountBand], label: str) -> bytes:
    """Draw the strip as a PNG: what a message carries."""
    return to_png(strip(bands, label), scale=1.5)


def to_svg(spec: Spec) -> str:
    """Draw a spec as SVG."""
    import vl_convert  # noqa: PLC0415 (heavy)

    return vl_convert.vegalite_to_svg(spec, vl_version=_VERSION)


def to_png(spec: Spec, *, scale: float = 2) -> bytes:
    """Draw a spec as PNG, at ``scale`` pixels to the point."""
    import vl_convert  # noqa: PLC0415 (heavy)

    return vl_convert.vegalite_to_png(spec, vl_version=_VERSION, scale=scale)


_VERSION: Final = "6.1"
"""Of Vega-Lite: what Altair 6 writes, and what the drawing library holds."""


def rewound(geometry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a polygon, or several, with outer rings clockwise and holes the other way.

    GeoJSON asks for the opposite, which the drawing library takes for the rest of the world.
    """
    kind: Literal["Polygon", "MultiPolygon"] = geometry["type"]
    polygons = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
    turned = [
        [ring if _is_clockwise(ring) is (place == 0) else ring[::-1] for place, ring in enumerate(polygon)]
        for polygon in polygons
    ]
    return {"type": kind, "coordinates": turned[0] if kind == "Polygon" else turned}


def _is_clockwise(ring: Sequence[Sequence[float]]) -> bool:
    return sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(ring)) > 0


def _finished(chart: Any) -> Spec:  # noqa: ANN401 (Altair's charts share no useful type)
    """Return the chart as a spec, with the fonts and no frame; checked against the schema by Altair."""
    spec: Spec = (
        chart.configure_view(stroke=None)
        .configure_title(fontSize=13, anchor="start", color=_INK)
        .configure_axis(labelColor=_INK, titleColor=_INK, labelFontSize=11, titleFontSize=11)
        .to_dict(validate=False)
    )
    return spec
