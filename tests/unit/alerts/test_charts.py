"""Pictures: drawn from data alone, the same each time, and the one that leaves holds bands and no counts."""

import json
import subprocess
import sys
from datetime import date, timedelta

import pytest

from alerts.charts import DayCount, area_map, epidemic_curve, rewound, strip, strip_png, to_svg
from schemas.disclosure import CountBand, EventCount, strip_of
from schemas.geography import AreaLevel, load_kent_and_medway
from schemas.vocabulary import Jurisdiction

KENT = Jurisdiction("kent-and-medway")


def test_a_messages_strip_is_the_same_picture_for_every_small_number() -> None:
    few = strip_of(EventCount(figure, KENT) for figure in (0, 1, 2, 9))
    other = strip_of(EventCount(figure, KENT) for figure in (0, 7, 4, 30))
    assert strip(few, "A&E") == strip(other, "A&E")
    assert [band.value for band in few] == ["none", "1-7", "1-7", "8+"]


def test_the_strip_is_a_png_and_the_same_bytes_each_time() -> None:
    bands = [CountBand.NONE] * 13 + [CountBand.FEW]
    picture = strip_png(bands, "A&E, last 14 days")
    assert picture.startswith(b"\x89PNG")
    assert picture == strip_png(bands, "A&E, last 14 days")


def test_the_curve_shows_each_day_and_what_was_expected() -> None:
    days = [
        DayCount(date(2018, 1, 9) + timedelta(days=number), number, 1.5, in_window=number > 10)
        for number in range(14)
    ]
    drawn = to_svg(epidemic_curve(days, title="Thanet"))
    assert "9 Jan" in drawn
    assert "NaN" not in drawn
    assert "Thanet" in drawn


def test_the_map_outlines_the_incidents_areas() -> None:
    boundaries = load_kent_and_medway().boundaries(AreaLevel.LAD)
    assert boundaries is not None
    spec = area_map(boundaries, {"E07000114": 3}, marked=["E07000114"], title="Kent and Medway")
    (features,) = spec["datasets"].values()
    marked = [feature["properties"]["name"] for feature in features if feature["properties"]["marked"]]
    assert marked == ["Thanet"]
    assert json.dumps(spec)


@pytest.mark.parametrize("clockwise", [True, False])
def test_rings_turn_the_way_the_drawing_library_wants(clockwise: bool) -> None:
    ring = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
    given_ring = ring if clockwise else ring[::-1]
    assert rewound({"type": "Polygon", "coordinates": [given_ring]})["coordinates"] == [ring]


def test_importing_the_people_side_loads_no_drawing_library() -> None:
    code = (
        "import sys, alerts.attach, alerts.acknowledge, alerts.jobs, alerts.reading, alerts.charts;"
        "print(sorted({'altair', 'vl_convert', 'numpy', 'holidays'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
