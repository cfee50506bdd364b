"""Where a place is, what holds it and what lies beside it."""

import csv
import gzip
import itertools
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.geography import (
    Area,
    AreaCode,
    AreaLevel,
    Geography,
    GeographyError,
    load_geography,
    load_kent_and_medway,
)

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
needs_real = pytest.mark.skipif(
    not REAL.exists(), reason="the public data of ../shared/data/real is not here"
)
KENT = load_kent_and_medway()
LEVELS = (AreaLevel.LAD, AreaLevel.MSOA, AreaLevel.LSOA)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def lines(*rows: str, name: str = "areas.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return lines


def district(name: str) -> AreaCode:
    code = KENT.by_name(name)
    assert code is not None
    return code


# Kent and Medway


def test_kent_and_medway_has_its_thirteen_authorities() -> None:
    assert KENT.root == "KM"
    assert set(KENT.detection_areas()) == {*(f"E07000{number}" for number in range(105, 117)), "E06000035"}
    assert KENT.children(KENT.root) == KENT.detection_areas()


def test_every_lsoa_lies_in_an_msoa_in_an_authority_in_the_whole() -> None:
    lsoas = KENT.at_level(AreaLevel.LSOA)
    assert len(lsoas) == 1065
    for code in lsoas:
        path = KENT.ancestors(code)
        assert [KENT.areas[step].level for step in path] == [
            AreaLevel.LSOA,
            AreaLevel.MSOA,
            AreaLevel.LAD,
            AreaLevel.JURISDICTION,
        ]
        assert path[0] == code
        assert KENT.detection_area_of(code) == path[2]


def test_the_msoa_of_an_lsoa_is_the_one_its_name_says() -> None:
    for code in KENT.at_level(AreaLevel.LSOA):
        area = KENT.areas[code]
        assert area.parent == f"MSOA:{area.name[:-1]}"


def test_residents_add_up_to_the_census_at_every_level() -> None:
    for level in LEVELS:
        total = math.fsum(KENT.areas[code].population for code in KENT.at_level(level))
        assert total == pytest.approx(1_855_900, abs=0.01)
    assert KENT.areas[KENT.root].population == 1_855_900
    assert KENT.areas[district("Thanet")].population == 140_600


def test_residents_that_were_shared_out_say_so() -> None:
    estimated = {
        level: {KENT.areas[code].population_is_estimate for code in KENT.at_level(level)} for level in LEVELS
    }
    assert estimated == {AreaLevel.LAD: {False}, AreaLevel.MSOA: {True}, AreaLevel.LSOA: {True}}


def test_thanet_lies_beside_canterbury_and_dover_and_nothing_else() -> None:
    assert set(KENT.adjacent(district("Thanet"))) == {district("Canterbury"), district("Dover")}


@pytest.mark.parametrize("level", LEVELS)
def test_neighbours_are_of_one_level_and_mutual(level: AreaLevel) -> None:
    for code in KENT.at_level(level):
        for other in KENT.adjacent(code):
            assert KENT.areas[other].level is level
            assert code in KENT.adjacent(other)
            assert other != code


@pytest.mark.parametrize("level", LEVELS)
def test_every_area_can_be_reached_from_every_other_by_neighbours(level: AreaLevel) -> None:
    everything = KENT.at_level(level)
    reached, ahead = {everything[0]}, [everything[0]]
    while ahead:
        new = set(KENT.adjacent(ahead.pop())) - reached
        reached |= new
        ahead.extend(new)
    assert reached == set(everything)


def test_areas_that_touch_lie_in_areas_that_touch() -> None:
    for code, other in itertools.chain.from_iterable(
        ((code, other) for other in KENT.adjacent(code)) for code in KENT.at_level(AreaLevel.LSOA)
    ):
        mine, theirs = KENT.ancestors(code)[2], KENT.ancestors(other)[2]
        assert mine == theirs or theirs in KENT.adjacent(mine)


@pytest.mark.parametrize(
    ("place", "latitude", "longitude", "authority"),
    [
        ("Westgate-on-Sea", 51.381, 1.337, "Thanet"),
        ("Canterbury Cathedral", 51.2798, 1.0828, "Canterbury"),
        ("Chatham station", 51.3804, 0.5214, "Medway"),
        ("Sheerness", 51.4400, 0.7600, "Swale"),
        ("Dartford station", 51.4474, 0.2189, "Dartford"),
    ],
)
def test_a_known_place_is_nearest_to_an_lsoa_of_its_authority(
    place: str,
    latitude: float,
    longitude: float,
    authority: str,
) -> None:
    nearest = KENT.nearest(latitude, longitude, AreaLevel.LSOA)
    assert KENT.detection_area_of(nearest) == district(authority), place


def test_every_area_is_nearest_to_its_own_point() -> None:
    for code in KENT.at_level(AreaLevel.MSOA):
        area = KENT.areas[code]
        assert area.latitude is not None
        assert area.longitude is not None
        assert KENT.nearest(area.latitude, area.longitude, AreaLevel.MSOA) == code


@pytest.mark.parametrize(
    "name", ["folkestone & hythe", "FOLKESTONE AND HYTHE", "Shepway", "Folkestone-and-Hythe"]
)
def test_a_name_is_known_in_any_case_and_by_its_former_name(name: str) -> None:
    assert KENT.by_name(name) == "E07000112"


def test_a_name_or_code_from_elsewhere_is_unknown() -> None:
    assert KENT.by_name("Bexley") is None
    assert KENT.get("E09000004") is None
    assert KENT.detection_area_of(AreaCode("E09000004")) is None
    assert KENT.detection_area_of(KENT.root) is None
    assert KENT.adjacent(AreaCode("E09000004")) == ()
    with pytest.raises(KeyError):
        KENT.ancestors(AreaCode("E09000004"))


@pytest.mark.parametrize("level", [AreaLevel.LAD, AreaLevel.MSOA])
def test_every_area_that_is_drawn_has_one_boundary_around_its_people(level: AreaLevel) -> None:
    drawn = KENT.boundaries(level)
    assert drawn is not None
    assert "Office for National Statistics" in drawn["attribution"]
    assert [feature["properties"]["code"] for feature in drawn["features"]] == list(KENT.at_level(level))
    for feature in drawn["features"]:
        area = KENT.areas[feature["id"]]
        polygons = feature["geometry"]["coordinates"]
        corners = list(_corners(polygons))
        assert area.longitude is not None
        assert area.latitude is not None
        assert min(x for x, _ in corners) < area.longitude < max(x for x, _ in corners)
        assert min(y for _, y in corners) < area.latitude < max(y for _, y in corners)


def _corners(nested: list) -> list[tuple[float, float]]:  # type: ignore[type-arg]
    if isinstance(nested[0], float):
        return [(nested[0], nested[1])]
    return [corner for part in nested for corner in _corners(part)]


def test_changing_a_boundary_that_was_handed_out_changes_nothing_here() -> None:
    drawn = KENT.boundaries(AreaLevel.LAD)
    assert drawn is not None
    drawn["features"].clear()
    again = KENT.boundaries(AreaLevel.LAD)
    assert again is not None
    assert len(again["features"]) == 13
    assert KENT.boundaries(AreaLevel.LSOA) is None


def test_the_committed_files_are_small_and_attributed() -> None:
    folder = Path(__file__).parents[2] / "schemas" / "geography" / "data"
    files = [path for path in folder.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 700_000
    assert "Open Government Licence" in (folder / "README.md").read_text(encoding="utf-8")


def test_geography_loads_no_numerics() -> None:
    program = (
        "import sys, schemas.geography as g; g.load_kent_and_medway(); "
        "print({'numpy', 'shapely'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Any other place

TOWNS = (
    "code,name,parent,parent_name,population,longitude,latitude",
    "001,Norton,N,North County,1000,-73.0,41.4",
    "002,Aston,N,North County,3000,-73.0,41.2",
    "003,St. Agnes,S,South County,500,-72.0,41.0",
    "004,Middle,S,South County,500,-72.5,41.1",
    "005,Far,S,South County,,,",
)


def test_parents_that_the_table_does_not_describe_become_regions(write: Write) -> None:
    place = load_geography(write(*TOWNS), name="Made-up State", jurisdiction_code="MS")
    assert place.at_level(AreaLevel.REGION) == ("N", "S")
    assert place.ancestors(AreaCode("001")) == ("001", "N", "MS")
    assert place.detection_areas() == ("001", "002", "003", "004", "005")
    north = place.areas[AreaCode("N")]
    assert (north.name, north.population) == ("North County", 4000)
    assert north.latitude == pytest.approx(41.25)  # leans to where the people are


def test_a_region_with_an_uncounted_area_has_no_population(write: Write) -> None:
    place = load_geography(write(*TOWNS), name="Made-up State")
    assert math.isnan(place.areas[AreaCode("S")].population)
    assert math.isnan(place.areas[place.root].population)


def test_one_parent_that_is_the_whole_place_is_the_root(write: Write) -> None:
    table = write(
        "code,name,parent,parent_name,population,longitude,latitude",
        "T-1,Cell 1,TINYTOWN,Tinytown,10,-111.9,33.3",
        "T-2,Cell 2,TINYTOWN,Tinytown,10,-111.8,33.3",
    )
    place = load_geography(table, name="Tinytown")
    assert place.root == "TINYTOWN"
    assert place.at_level(AreaLevel.REGION) == ()
    assert place.ancestors(AreaCode("T-2")) == ("T-2", "TINYTOWN")
    assert place.areas[place.root].population == 20


def test_areas_without_a_position_have_no_neighbours_and_are_near_to_nothing(write: Write) -> None:
    place = load_geography(write("code,name,parent", "A,Alpha,X", "B,Beta,X"), name="Nowhere")
    assert place.adjacent(AreaCode("A")) == ()
    with pytest.raises(GeographyError, match="has a position"):
        place.nearest(51.0, 1.0)
    far = load_geography(write(*TOWNS), name="Made-up State")
    assert far.adjacent(AreaCode("005")) == ()


def test_without_boundaries_the_four_nearest_are_neighbours_both_ways(write: Write) -> None:
    rows = [f"{number},Place {number},0.0,{number}" for number in range(10, 20)]
    place = load_geography(write("code,name,latitude,longitude", *rows), name="A line")
    assert place.adjacent(AreaCode("14")) == ("10", "11", "12", "13", "15", "16")
    assert place.adjacent(AreaCode("10")) == ("11", "12", "13", "14")
    for code in place.detection_areas():
        for other in place.adjacent(code):
            assert code in place.adjacent(other)


def _square(code: str, left: float, low: float) -> dict[str, object]:
    ring = [[left, low], [left + 1, low], [left + 1, low + 1], [left, low + 1], [left, low]]
    return {
        "type": "Feature",
        "properties": {"code": code},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def test_with_boundaries_a_shared_border_makes_neighbours_and_a_corner_does_not(write: Write) -> None:
    features = [_square("A", 0, 0), _square("B", 1, 0), _square("C", 1, 1)]
    outline = write(json.dumps({"type": "FeatureCollection", "features": features}), name="areas.geojson")
    table = write("code,name,latitude,longitude", "A,Alpha,.5,.5", "B,Beta,.5,1.5", "C,Gamma,1.5,1.5")
    place = load_geography(table, name="Squares", geojson=outline)
    assert place.adjacent(AreaCode("A")) == ("B",)
    assert place.adjacent(AreaCode("B")) == ("A", "C")
    drawn = place.boundaries(AreaLevel.AREA)
    assert drawn is not None
    assert drawn["features"][0]["properties"] == {"code": "A", "name": "Alpha"}


def test_a_village_is_known_by_the_alias_table(write: Write) -> None:
    aliases = write("alias,code,name", "BROAD BROOK,003,St. Agnes", name="aliases.csv")
    place = load_geography(write(*TOWNS), name="Made-up State", aliases=aliases)
    assert place.by_name("broad-brook") == place.by_name("Broadbrook") == place.by_name("ST AGNES") == "003"


def test_a_table_with_levels_nests_as_it_says(write: Write) -> None:
    table = write(
        "code,name,level,parent,population,population_is_estimate",
        "D1,Southby,lad,,300,no",
        "L1,Southby 001A,lsoa,D1,150,yes",
        "L2,Southby 001B,lsoa,southby,150,yes",
    )
    place = load_geography(table, name="Shire", detection_level=AreaLevel.LAD)
    assert place.detection_areas() == ("D1",)
    assert place.detection_area_of(AreaCode("L2")) == "D1"
    assert place.areas[AreaCode("D1")].population_is_estimate is False
    assert place.areas[AreaCode("L1")].population_is_estimate is True
    assert place.ancestors(AreaCode("L1")) == ("L1", "D1", "SHIRE")


def test_of_areas_that_share_a_name_the_tested_one_is_meant(write: Write) -> None:
    table = write(
        "code,name,parent,parent_name", "T1,Newport,C1,Newport", "T2,Twin,C1,Newport", "T3,Twin,C1,Newport"
    )
    place = load_geography(table, name="Isle")
    assert place.by_name("Newport") == "T1"
    assert place.by_name("Twin") is None


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["name", "Alpha"], "areas.csv has no column 'code'"),
        (["code,name", ",Alpha"], "areas.csv, row 2: the column 'code' is empty"),
        (["code,name", "A,Alpha", "A,Again"], "areas.csv, row 3: the column 'code' repeats 'A'"),
        (["code,name,population", "A,Alpha,many"], "row 2: the column 'population' is 'many'"),
        (["code,name,population", "A,Alpha,-3"], "row 2: the column 'population' is '-3'"),
        (["code,name,population", "A,Alpha,nan"], "row 2: the column 'population' is 'nan'"),
        (["code,name,latitude,longitude", "A,Alpha,151,1"], "row 2: the column 'latitude' is '151'"),
        (["code,name,latitude,longitude", "A,Alpha,51,"], "row 2: the column 'longitude' is empty"),
        (["code,name,level", "A,Alpha,ward"], "row 2: the column 'level' is 'ward'"),
        (
            ["code,name,population_is_estimate", "A,Alpha,perhaps"],
            "row 2: the column 'population_is_estimate'",
        ),
        (["code,name,parent", "A,Alpha,A"], "row 2: the column 'parent' names the area itself"),
        (["code,name,parent", "A,Alpha,B", "B,Beta,A"], "row 2: the column 'parent' leads round to 'A'"),
        (["code,name"], "areas.csv has no area of level 'area'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_sentence(
    write: Write,
    rows: list[str],
    sentence: str,
) -> None:
    with pytest.raises(GeographyError) as refused:
        load_geography(write(*rows), name="Nowhere")
    assert sentence in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["alias,code", "Village,999"], "aliases.csv, row 2: the column 'code' is '999'"),
        (
            ["alias,code", "Village,001", "Village,002"],
            "row 3: the column 'alias' gives 'Village' a second meaning",
        ),
        (["alias,code", "Norton,002"], "The alias 'Norton' of '002' is already a name of '001'"),
        (["name,code", "Norton,002"], "aliases.csv has no column 'alias'"),
    ],
)
def test_aliases_that_cannot_be_used_are_refused(write: Write, rows: list[str], sentence: str) -> None:
    with pytest.raises(GeographyError) as refused:
        load_geography(write(*TOWNS), name="Made-up State", aliases=write(*rows, name="aliases.csv"))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "areas.geojson is not a GeoJSON FeatureCollection"),
        ("[]", "areas.geojson is not a GeoJSON FeatureCollection"),
        ('{"features": [{"geometry": {}}]}', "feature 1: it has no property 'code'"),
        ('{"features": [{"properties": {"code": "001"}}]}', "feature 1: it has no 'geometry'"),
        ('{"features": [{"properties": {"code": "9"}, "geometry": {}}]}', "feature 1: 'code' is '9'"),
        ('{"features": [{"properties": {"code": "001"}, "geometry": {"type": "Point"}}]}', "not a polygon"),
        ('{"features": [{"properties": {"code": "001"}, "geometry": null}]}', "not a polygon"),
    ],
)
def test_boundaries_that_cannot_be_used_are_refused(write: Write, text: str, sentence: str) -> None:
    with pytest.raises(GeographyError) as refused:
        load_geography(write(*TOWNS), name="Made-up State", geojson=write(text, name="areas.geojson"))
    assert sentence in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeographyError, match="cannot be read"):
        load_geography(tmp_path / "missing.csv", name="Nowhere")
    (tmp_path / "odd.csv").write_bytes(b"code,name\nA,\xff\xfe\n")
    with pytest.raises(GeographyError, match=r"odd\.csv is not a CSV file in UTF-8"):
        load_geography(tmp_path / "odd.csv", name="Nowhere")


def _area(code: str, parent: str | None, level: AreaLevel = AreaLevel.AREA) -> Area:
    above = None if parent is None else AreaCode(parent)
    return Area(AreaCode(code), code, level, above, 1.0, None, None, population_is_estimate=False)


@pytest.mark.parametrize(
    ("areas", "sentence"),
    [
        ([_area("A", None), _area("B", None)], "exactly one area without a parent and has 2"),
        ([_area("A", None), _area("A", None)], "has the area 'A' twice"),
        ([_area("A", None), _area("B", "Z")], "'B' lies in 'Z', which is not in"),
        ([_area("A", None), _area("B", "C"), _area("C", "B")], "lies inside itself"),
    ],
)
def test_areas_that_are_not_one_tree_are_refused(areas: list[Area], sentence: str) -> None:
    with pytest.raises(GeographyError, match=sentence):
        Geography("Broken", areas, detection_level=AreaLevel.AREA)


@given(st.floats(), st.floats())
def test_any_position_has_a_nearest_area_or_is_refused(latitude: float, longitude: float) -> None:
    if -90 <= latitude <= 90 and -180 <= longitude <= 180:
        assert KENT.nearest(latitude, longitude) in KENT.detection_areas()
    else:
        with pytest.raises(GeographyError, match="position"):
            KENT.nearest(latitude, longitude)


@given(st.randoms(use_true_random=False))
def test_the_order_of_the_areas_makes_no_difference(shuffler: random.Random) -> None:
    areas = [_area("A", None, AreaLevel.JURISDICTION), *(_area(code, "A") for code in "DCBE")]
    shuffler.shuffle(areas)
    place = Geography(
        "Any", areas, detection_level=AreaLevel.AREA, neighbours={AreaCode("B"): [AreaCode("E")]}
    )
    assert place.detection_areas() == place.children(AreaCode("A")) == ("B", "C", "D", "E")
    assert place.adjacent(AreaCode("E")) == ("B",)


# Real places


@needs_real
def test_connecticut_places_of_death_are_all_known_but_one() -> None:
    place = load_geography(
        REAL / "connecticut_towns.csv",
        name="Connecticut",
        jurisdiction_code="CT",
        aliases=REAL / "connecticut_place_aliases.csv",
    )
    assert len(place.detection_areas()) == 169
    assert all(len(place.adjacent(code)) >= 4 for code in place.detection_areas())
    with gzip.open(REAL / "connecticut_deaths_2012_2022.csv.gz", "rt", encoding="utf-8") as file:
        deaths = [row["Death City"] for row in csv.DictReader(file)]
    assert sum(place.by_name(town) is None for town in deaths if town) == 1


@needs_real
def test_tempe_calls_fall_into_the_cell_that_holds_them() -> None:
    place = load_geography(REAL / "tempe_areas.csv", name="Tempe")
    assert (place.root, len(place.detection_areas())) == ("TEMPE", 58)
    with gzip.open(REAL / "tempe_opioid_ems.csv.gz", "rt", encoding="utf-8") as file:
        for row in itertools.islice(csv.DictReader(file), 300):
            latitude, longitude = float(row["latitude"]), float(row["longitude"])
            cell = place.areas[place.nearest(latitude, longitude)]
            assert cell.latitude is not None
            assert abs(cell.latitude - latitude) <= 0.011


@needs_real
def test_british_columbia_has_towns_without_people_or_positions() -> None:
    place = load_geography(REAL / "bc_areas.csv", name="British Columbia", jurisdiction_code="BC")
    assert len(place.detection_areas()) == 33
    assert len(place.at_level(AreaLevel.REGION)) == 5
    assert math.isnan(place.areas[place.root].population)
    assert place.by_name("maple ridge") == "BC-MAPLE-RIDGE"
