"""The three worked mappings of the documents, on made-up files of the same shape and on the real ones where they are."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from schemas.events import DrugCheckingResult, NaloxoneAdministration, SuspectedDeath
from schemas.geography import Geography, load_geography
from schemas.substances import default_taxonomy
from streams.connectors.csv_files import MappedRow, Tally, read_events
from streams.connectors.mapping import load_mapping

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "how-to" / "examples"
REAL = ROOT.parent / "shared" / "data" / "real"

CONNECTICUT_COLUMNS = load_mapping(EXAMPLES / "connecticut-deaths.toml").columns()


def geography(folder: Path, table: str) -> Geography:
    path = folder / "areas.csv"
    path.write_text(table, encoding="utf-8")
    return load_geography(path, name="Somewhere")


def read(name: str, path: Path, places: Geography, tables: Path) -> tuple[list[MappedRow], Tally]:
    mapping = load_mapping(EXAMPLES / f"{name}.toml")
    reading = read_events(path, mapping, places, default_taxonomy(), tables=(tables,))
    return list(reading), reading.tally


def test_connecticut_rows_become_deaths(tmp_path: Path) -> None:
    def line(**cells: str) -> str:
        named = {
            "Date": "2019-03-04",
            "Date Type": "Date of death",
            **{k.replace("_", " "): v for k, v in cells.items()},
        }
        return ",".join(named.get(column, "") for column in CONNECTICUT_COLUMNS)

    (tmp_path / "connecticut_place_aliases.csv").write_text(
        "alias,code,name\nSTORRS,02,x\n", encoding="utf-8"
    )
    (tmp_path / "deaths.csv").write_text(
        "\n".join(
            (
                ",".join(CONNECTICUT_COLUMNS),
                line(
                    Death_City="NEW HAVEN",
                    Residence_City="STORRS",
                    Fentanyl="Y (PTCH)",
                    Cause_of_Death="Xylazine",
                ),
                line(Residence_City="STORRS", Date_Type="Date reported", Gabapentin="y"),
                line(Residence_City="HOMELESS"),
                line(),
                line(),
            )
        ),
        encoding="utf-8",
    )
    places = geography(tmp_path, "code,name\n0900952070,New Haven\n02,Mansfield\n")
    rows, tally = read("connecticut-deaths", tmp_path / "deaths.csv", places, tmp_path)
    events = [row.event for row in rows if isinstance(row.event, SuspectedDeath)]
    assert (tally.mapped, tally.not_placed) == (5, 3)
    assert [event.areas.event for event in events] == [
        "0900952070",
        "02",
        "no_fixed_abode",
        "unknown",
        "unknown",
    ]
    assert events[0].areas.residence == "02"
    assert events[0].confirmed == ("fentanyl", "xylazine")
    assert events[1].confirmed == ("gabapentin",)
    assert all(event.precision.is_daily for event in events)
    assert len({event.event_id for event in events}) == 5


def test_tempe_rows_become_administrations_without_their_positions(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(
        "year,incident_date,narcan_given,latitude,longitude\n2019,2019-01-02,True,33.4196,-111.9304\n"
        "2019,2019-01-02,True,33.4196,-111.9304\n2019,2019-01-02,False,33.4,-111.9\n2019,2019-01-02,,33.4,-111.9\n",
        encoding="utf-8",
    )
    places = geography(tmp_path, "code,name,latitude,longitude\nC1,One,33.42,-111.93\nC2,Two,33.44,-111.93\n")
    rows, tally = read("tempe-naloxone", tmp_path / "calls.csv", places, tmp_path)
    events = [row.event for row in rows if isinstance(row.event, NaloxoneAdministration)]
    assert (len(events), tally.filtered) == (2, 2)
    assert {event.areas.event for event in events} == {"C1"}
    assert len({event.event_id for event in events}) == 2
    assert all(len(event.doses) == 1 and "33.4" not in repr(event) for event in events)


def test_british_columbia_rows_become_results_with_sold_as_apart(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text(
        "Health Authority,Visit Date,Collection Site,City/Town,Drug,Category,Quant,file\n"
        "Vancouver Coastal,2022-04-30,Get Your Drugs Tested,Vancouver,Down (Unknown Opioid),Opioid,14.5,Apr 2022\n"
        "Vancouver Coastal,2022-04-30,Insite,,Heroin,Opioid,0.0,Apr 2022\n",
        encoding="utf-8",
    )
    places = geography(
        tmp_path, "code,name,parent,parent_name\nBC-VANCOUVER,Vancouver,BC-VC,Vancouver Coastal\n"
    )
    rows, tally = read("british-columbia-samples", tmp_path / "samples.csv", places, tmp_path)
    first, second = (row.event for row in rows)
    assert isinstance(first, DrugCheckingResult)
    assert isinstance(second, DrugCheckingResult)
    assert (first.areas.event, second.areas.event, tally.not_placed) == ("BC-VANCOUVER", "BC-VC", 0)
    assert (first.sold_as, [item.substance for item in first.detected]) == (("unknown opioid",), ["fentanyl"])
    assert (second.sold_as, second.detected) == (("heroin",), ())
    assert first.source.site == "get-your-drugs-tested"


# The real files


@pytest.fixture
def real() -> Path:
    """The folder of real public data."""
    if not REAL.is_dir():
        pytest.skip(
            f"NOT TESTED on real data: there is no folder {REAL.relative_to(ROOT.parent)} beside the project"
        )
    return REAL


def test_every_real_death_is_mapped_and_xylazine_is_there_before_its_column(real: Path) -> None:
    places = load_geography(real / "connecticut_towns.csv", name="Connecticut")
    rows, tally = read("connecticut-deaths", real / "connecticut_deaths_2012_2022.csv.gz", places, real)
    deaths = [row.event for row in rows if isinstance(row.event, SuspectedDeath)]
    assert (tally.rows, tally.mapped, tally.problems) == (10_653, 10_653, 0)
    # 117 rows have neither place; 37 name another state, nothing known, or homelessness.
    assert tally.not_placed == 154
    assert len({death.event_id for death in deaths}) == 10_653
    xylazine = [death.occurred_at.date() for death in deaths if "xylazine" in death.confirmed]
    assert min(xylazine) == date(2019, 3, 4)
    assert len(xylazine) == 865


def test_every_real_call_with_naloxone_is_mapped_into_a_cell(real: Path) -> None:
    places = load_geography(real / "tempe_areas.csv", name="Tempe")
    rows, tally = read("tempe-naloxone", real / "tempe_opioid_ems.csv.gz", places, real)
    assert (tally.rows, tally.mapped, tally.filtered, tally.not_placed) == (3_379, 1_978, 1_401, 0)
    assert len({row.event.event_id for row in rows if row.event}) == 1_978


def test_every_real_sample_is_mapped_with_what_it_was_sold_as(real: Path) -> None:
    places = load_geography(real / "bc_areas.csv", name="British Columbia")
    rows, tally = read("british-columbia-samples", real / "bc_opioid_samples_2022_2024.csv.gz", places, real)
    samples = [row.event for row in rows if isinstance(row.event, DrugCheckingResult)]
    assert (tally.rows, tally.mapped, tally.not_placed) == (13_776, 13_776, 1)
    assert len({sample.event_id for sample in samples}) == 13_776
    sold = Counter(sample.sold_as for sample in samples)
    assert sold[("unknown opioid",)] == 9_765
    assert sum(not sample.detected for sample in samples) == 3
