"""From a row of a partner's file to an event: each rule of a mapping, and every way in which a row can be bad."""

import gzip
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import DrugCheckingResult, EdPresentation, Event, SuspectedDeath
from schemas.geography import Geography
from schemas.substances import default_taxonomy
from schemas.vocabulary import Precision
from streams.connectors.csv_files import MappedFile, MappedRow, read_events
from streams.connectors.mapping import MappingError, mapping_from

Read = Callable[..., list[MappedRow]]
Open = Callable[..., MappedFile]


def only(rows: list[MappedRow]) -> Event:
    (row,) = rows
    assert row.event is not None, row.problem
    return row.event


def problem(rows: list[MappedRow]) -> tuple[str, str]:
    (row,) = rows
    assert row.problem is not None
    return row.problem.code, row.problem.sentence


# What is read


def test_only_named_columns_reach_an_event(read: Read) -> None:
    event = only(read("Ref,Date,Name,NHS number\nA1,07/03/2024,Mrs Jones,9434765919\n"))
    assert "Jones" not in repr(event)
    assert "9434765919" not in repr(event)


def test_a_column_that_the_mapping_names_and_the_file_lacks_is_one_error_before_any_row(opened: Open) -> None:
    with pytest.raises(MappingError) as error:
        opened("Ref,Datum\nA1,07/03/2024\n")
    assert "has no column 'Date'" in str(error.value)
    assert "Datum" not in str(error.value)


def test_a_named_column_that_stands_twice_is_refused(opened: Open) -> None:
    with pytest.raises(MappingError, match="more than once"):
        opened("Ref,Date,Date\nA1,07/03/2024,08/03/2024\n")


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path, coast: Geography, read: Read) -> None:
    text = "Ref,Date\nA1,07/03/2024\n"
    plain = only(read(text))
    path = tmp_path / "file.CSV.GZ"
    path.write_bytes(gzip.compress(text.encode()))
    mapping = mapping_from(plain_mapping())
    assert only(list(read_events(path, mapping, coast, default_taxonomy()))) == plain


def plain_mapping(**changes: object) -> dict[str, Any]:
    return {
        "name": "coast-deaths",
        "feed": "suspected-deaths",
        "jurisdiction": "coast",
        "source": {"organisation": "coroner"},
        "event_id": {"column": "Ref"},
        "occurred_at": {"columns": ["Date"], "formats": ["%d/%m/%Y"]},
    } | changes


def test_a_compressed_file_that_breaks_off_says_after_which_row(tmp_path: Path, coast: Geography) -> None:
    path = tmp_path / "file.csv.gz"
    rows = "".join(f"A{n},07/03/2024\n" for n in range(20_000))
    path.write_bytes(gzip.compress(f"Ref,Date\n{rows}".encode())[:-2000])
    reading = read_events(path, mapping_from(plain_mapping()), coast, default_taxonomy())
    with pytest.raises(MappingError, match="breaks off or is damaged after row"):
        list(reading)
    assert reading.tally.mapped > 100


def test_a_file_that_is_not_there_is_one_error(tmp_path: Path, coast: Geography) -> None:
    with pytest.raises(MappingError, match=r"gone.csv cannot be opened"):
        read_events(tmp_path / "gone.csv", mapping_from(plain_mapping()), coast, default_taxonomy())


def test_a_byte_order_mark_and_a_windows_encoding_are_read(read: Read) -> None:
    assert only(read("\ufeffRef,Date\nA1,07/03/2024\n")).event_id == "A1"
    rows = read(
        "Ref;Date;Café\nA1;07/03/2024;heroin\n".encode("cp1252"),
        encoding="cp1252",
        delimiter=";",
        substances=[{"field": "suspected", "names": ["Café"]}],
    )
    event = only(rows)
    assert isinstance(event, SuspectedDeath)
    assert event.suspected == ("heroin",)


# Bad rows


def test_a_bad_row_is_named_by_row_and_column_and_stops_no_other(read: Read) -> None:
    rows = read("Ref,Date\nA1,07/03/2024\nA2,Tuesday at Mrs Jones's\nA3,08/03/2024\n")
    assert [row.event.event_id if row.event else None for row in rows] == ["A1", None, "A3"]
    assert rows[1].place == "row 3"
    assert rows[1].problem is not None
    assert rows[1].problem.sentence == "The column 'Date' holds no date in a format that the mapping lists."
    assert rows[1].content is not None
    assert rows[1].content["event_id"] == "A2"
    assert "Jones" not in repr(rows)


def test_a_blank_date_a_wrong_number_of_cells_and_a_bad_identifier_are_problems(read: Read) -> None:
    assert problem(read("Ref,Date\nA1,\n"))[0] == "no_date"
    assert problem(read("Ref,Date\nA1\n"))[0] == "malformed"
    assert problem(read("Ref,Date\nA1,07/03/2024,x\n"))[0] == "malformed"
    assert problem(read("Ref,Date\nA 1!,07/03/2024\n"))[0] == "invalid"


def test_a_row_with_an_identifier_in_a_named_column_is_redacted(read: Read) -> None:
    (row,) = read("Ref,Date\n943 476 5919,07/03/2024\n")
    assert row.problem is not None
    assert row.problem.code == "identifier"
    assert row.content is not None
    assert row.content["event_id"] == "[redacted: NHS number]"
    assert not row.content_complete
    assert "943 476" not in repr(row)


def test_an_open_quotation_mark_is_a_problem_that_names_its_row_and_swallows_no_more_than_it_must(
    read: Read,
) -> None:
    good = "".join(f"B{n},08/03/2024\n" for n in range(60))
    rows = read(f'Ref,Date\nA1,07/03/2024\nA2,"07/03/2024\n{good}')
    assert rows[0].event is not None
    assert rows[1].problem is not None
    assert "quotation mark" in rows[1].problem.sentence


def test_a_nul_spoils_its_own_row_only_since_no_database_column_takes_one(read: Read) -> None:
    rows = read(b"Ref,Date\nA\x00,07/03/2024\nA2,07/03/2024\n")
    assert rows[0].problem is not None
    assert rows[0].problem.code == "bad_text"
    assert rows[1].event is not None


def test_a_byte_of_another_encoding_spoils_its_own_row_only(read: Read) -> None:
    rows = read(b"Ref,Date\nA\xe91,07/03/2024\nA2,07/03/2024\n")
    assert rows[0].problem is not None
    assert rows[0].problem.code == "encoding"
    assert rows[1].event is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(body=st.binary(max_size=120))
def test_no_file_whatever_crashes_the_reader_and_every_row_is_accounted_for(
    opened: Open, body: bytes
) -> None:
    reading = opened(b"Ref,Date\nA1,07/03/2024\n" + body)
    rows = list(reading)
    tally = reading.tally
    assert tally.mapped + tally.problems == tally.rows == len(rows)


# Identity


def test_equal_rows_are_told_apart_by_how_many_stood_before(read: Read) -> None:
    rule = {"hash_of": ["Date", "Town"]}
    text = "Date,Town\n07/03/2024,Margate\n07/03/2024,Margate\n07/03/2024,Ramsgate\n"
    first, second, third = (row.event.event_id for row in read(text, event_id=rule) if row.event)
    assert len({first, second, third}) == 3
    shuffled = "Date,Town\n07/03/2024,Ramsgate\n07/03/2024,Margate\n07/03/2024,Margate\n"
    assert Counter(row.event.event_id for row in read(shuffled, event_id=rule) if row.event) == Counter(
        [first, second, third]
    )


def test_a_filter_does_not_change_the_identifiers_of_what_it_keeps(read: Read) -> None:
    rule = {"hash_of": ["Date"]}
    text = "Date,Kind\n07/03/2024,other\n07/03/2024,drug\n"
    unfiltered = read(text, event_id=rule)
    filtered = only(read(text, event_id=rule, filter=[{"column": "Kind", "equals": "drug"}]))
    assert unfiltered[1].event == filtered


def test_a_row_number_can_be_the_identifier(read: Read) -> None:
    assert only(read("Date\n07/03/2024\n", event_id={"row": True})).event_id == "row-2"


# Filters


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"equals": "yes"}, "AB"),
        ({"in": ["no", "YES"]}, "ABC"),
        ({"not_in": ["yes"]}, "CD"),
        ({"filled": True}, "ABC"),
        ({"filled": False}, "D"),
    ],
)
def test_rows_are_filtered_by_what_a_column_holds(opened: Open, rule: dict[str, Any], kept: str) -> None:
    reading = opened(
        "Ref,Date,Given\nA,07/03/2024,yes\nB,07/03/2024,Yes \nC,07/03/2024,no\nD,07/03/2024,\n",
        filter=[{"column": "Given", **rule}],
    )
    assert "".join(row.event.event_id for row in reading if row.event) == kept
    assert reading.tally.filtered == 4 - len(kept)


# When


def test_a_day_is_noon_in_the_mappings_zone_so_that_it_stays_that_day(read: Read) -> None:
    event = only(read("Ref,Date\nA1,07/07/2024\n"))
    assert event.occurred_at == datetime(2024, 7, 7, 11, tzinfo=UTC)
    assert event.precision is Precision.DAY


def test_a_time_of_day_may_stand_apart_and_is_in_the_mappings_zone(read: Read) -> None:
    rule = {"columns": ["Date"], "time_column": "Time", "formats": ["%d/%m/%Y %H:%M", "%d/%m/%Y"]}
    rows = read("Ref,Date,Time\nA1,07/07/2024,00:30\nA2,07/07/2024,\n", occurred_at=rule)
    events = [row.event for row in rows if row.event]
    assert events[0].occurred_at == datetime(2024, 7, 6, 23, 30, tzinfo=UTC)
    assert [event.precision for event in events] == [Precision.MINUTE, Precision.DAY]


def test_precision_can_come_from_a_column_and_the_first_filled_date_counts(read: Read) -> None:
    rule = {
        "columns": ["Died", "Reported"],
        "formats": ["%Y-%m-%d"],
        "precision": {"column": "Kind", "values": {"of death": "day", "reported": "week"}},
    }
    text = "Ref,Died,Reported,Kind\nA1,2024-03-07,2024-03-09,Of death\nA2,,2024-03-09,REPORTED\nA3,,2024-03-09,heard of\n"
    rows = read(text, occurred_at=rule)
    assert [row.event.precision for row in rows if row.event] == [Precision.DAY, Precision.WEEK]
    assert rows[1].event is not None
    assert rows[1].event.occurred_at.day == 9
    assert rows[2].problem is not None
    assert rows[2].problem.code == "unlisted_value"
    assert "heard of" not in rows[2].problem.sentence


# Where


def area(rows: list[MappedRow]) -> str:
    return only(rows).areas.event


@pytest.mark.parametrize(
    ("town", "code"),
    [
        ("MARGATE", "0901337910"),
        ("Westgate-on-Sea", "0901337910"),
        ("ramsgate ", "T-RAM"),
        ("Old Broadstairs", "T-BRO"),
        ("Atlantis", "unknown"),
        ("N/K", "unknown"),
        ("homeless", "no_fixed_abode"),
        ("LONDON", "outside"),
    ],
)
def test_a_town_is_placed_by_name_alias_or_listed_word_and_never_refused(
    read: Read, tmp_path: Path, town: str, code: str
) -> None:
    (tmp_path / "aliases.csv").write_text("alias,code\nOLD  BROADSTAIRS,T-BRO\n", encoding="utf-8")
    rule = {
        "by": "name",
        "columns": ["Town"],
        "aliases": {"westgate-on-sea": "0901337910"},
        "aliases_file": "aliases.csv",
        "unknown": ["n/k"],
        "no_fixed_abode": ["Homeless"],
        "outside": ["London"],
    }
    assert area(read(f"Ref,Date,Town\nA1,07/03/2024,{town}\n", areas={"event": rule})) == code


def test_the_first_filled_column_places_and_what_is_not_placed_is_counted(opened: Open) -> None:
    rule = {"by": "name", "columns": ["Place", "Home", "District"]}
    text = (
        "Ref,Date,Place,Home,District\nA1,07/03/2024,Margate,Ramsgate,\nA2,07/03/2024,,Ramsgate,\n"
        "A3,07/03/2024,,,Thanet\nA4,07/03/2024,,,\n"
    )
    reading = opened(text, areas={"event": rule})
    codes = [row.event.areas.event for row in reading if row.event]
    assert codes == ["0901337910", "T-RAM", codes[2], "unknown"]
    assert codes[2] not in {"unknown", "0901337910", "T-RAM"}
    assert reading.tally.not_placed == 1


def test_a_code_is_checked_against_the_geography_and_an_old_one_translated(read: Read) -> None:
    rule = {"by": "code", "columns": ["Code"], "aliases": {"OLD-RAM": "T-RAM"}}
    for sent, code in (("T-BRO", "T-BRO"), ("OLD-RAM", "T-RAM"), ("", "unknown")):
        assert area(read(f"Ref,Date,Code\nA1,07/03/2024,{sent}\n", areas={"event": rule})) == code
    (row,) = read("Ref,Date,Code\nA1,07/03/2024,T-XXX\n", areas={"event": rule})
    assert row.problem is not None
    assert row.problem.code == "unknown_area"
    assert "'Code'" in row.problem.sentence
    assert "T-XXX" not in row.problem.sentence


def test_a_position_becomes_the_nearest_area_and_is_then_gone(read: Read) -> None:
    rule = {"by": "position", "latitude": "lat", "longitude": "lon", "within_km": 10}
    event = only(read("Ref,Date,lat,lon\nA1,07/03/2024,51.3361,1.4172\n", areas={"event": rule}))
    assert event.areas.event == "T-RAM"
    assert "51.33" not in repr(event)
    for lat, lon, code in (
        ("51.5", "-0.1", "outside"),
        ("x", "1.4", "unknown"),
        ("", "", "unknown"),
        ("95", "1", "unknown"),
    ):
        assert area(read(f"Ref,Date,lat,lon\nA1,07/03/2024,{lat},{lon}\n", areas={"event": rule})) == code


def test_an_alias_of_no_area_and_a_missing_table_are_errors_before_any_row(opened: Open) -> None:
    text = "Ref,Date,Town\nA1,07/03/2024,x\n"
    rule = {"by": "name", "columns": ["Town"]}
    with pytest.raises(MappingError, match="which is no area of Coast"):
        opened(text, areas={"event": rule | {"aliases": {"x": "T-XXX"}}})
    with pytest.raises(MappingError, match="neither beside the mapping"):
        opened(text, areas={"event": rule | {"aliases_file": "gone.csv"}})


# What


def test_marked_columns_and_text_add_up_to_canonical_names_without_repeats(read: Read) -> None:
    rules = [
        {"field": "confirmed", "flags": {"H": "diamorphine", "X": "xylazine"}, "truthy": ["Y"]},
        {"field": "confirmed", "text": ["Cause"]},
    ]
    text = 'Ref,Date,H,X,Cause\nA1,07/03/2024,y,STOLE,"Acute heroin and xylazin toxicity, Mrs Jones"\n'
    event = only(read(text, substances=rules))
    assert isinstance(event, SuspectedDeath)
    assert event.confirmed == ("heroin", "xylazine")


def test_a_flag_that_the_taxonomy_does_not_know_is_an_error_before_any_row(opened: Open) -> None:
    with pytest.raises(MappingError, match="the taxonomy does not know"):
        opened("Ref,Date,H\nA1,07/03/2024,Y\n", substances=[{"field": "confirmed", "flags": {"H": "hxrxn"}}])


def test_a_number_above_a_limit_marks_a_substance_and_sold_as_stays_apart(read: Read) -> None:
    changes: dict[str, Any] = {
        "feed": "drug-checking",
        "substances": [
            {"field": "sold_as", "names": ["Sold"], "split": "/"},
            {
                "field": "detected",
                "flags": {"Pct": "fentanyl"},
                "above": 0,
                "method": "ftir",
                "confidence": "probable",
            },
        ],
    }
    rows = read(
        "Ref,Date,Sold,Pct\nA1,07/03/2024,blues / heroin,12.5%\nA2,07/03/2024,blues,0\nA3,07/03/2024,,\n"
        "A4,07/03/2024,,lots\n",
        **changes,
    )
    first = rows[0].event
    assert isinstance(first, DrugCheckingResult)
    assert first.sold_as == ("blues", "heroin")
    assert [(item.substance, item.method, item.confidence.value) for item in first.detected] == [
        ("fentanyl", "ftir", "probable")
    ]
    assert all(isinstance(row.event, DrugCheckingResult) and not row.event.detected for row in rows[1:3])
    assert rows[3].problem is not None
    assert rows[3].problem.code == "not_a_number"


# The other fields


def test_fields_are_constants_or_translated_columns(read: Read) -> None:
    changes: dict[str, Any] = {
        "feed": "ed-presentations",
        "jurisdiction": {"column": "LDIS"},
        "source": {"organisation": "east-kent", "site": {"column": "Site"}},
        "fields": {
            "sex": {"column": "Sex", "values": {"F": "female", "M": "male"}, "otherwise": "unknown"},
            "acuity": {"column": "Acuity"},
            "diagnoses": {"column": "Codes", "split": ";"},
            "intent": "accidental",
        },
    }
    header = "Ref,Date,LDIS,Site,Sex,Acuity,Codes\n"
    event = only(read(f"{header}A1,07/03/2024,Coast,Q.E.Q.M. (Margate),f,2,T40.1; 55680006\n", **changes))
    assert isinstance(event, EdPresentation)
    assert (event.jurisdiction, event.source.site) == ("coast", "q-e-q-m-margate")
    assert (event.sex, event.acuity, event.intent) == ("female", 2, "accidental")
    assert event.diagnoses == ("T40.1", "55680006")
    blank = only(read(f"{header}A1,07/03/2024,Coast,,x,,\n", **changes))
    assert isinstance(blank, EdPresentation)
    assert (blank.sex, blank.acuity, blank.source.site, blank.diagnoses) == ("unknown", None, None, ())
    code, sentence = problem(read(f"{header}A1,07/03/2024,Coast,,x,high,\n", **changes))
    assert (code, sentence) == ("invalid", "acuity must be a whole number.")


# When it became known


def delays(rows: list[MappedRow]) -> list[timedelta]:
    return [row.known_at - row.event.occurred_at for row in rows if row.event and row.known_at]


def test_a_delay_is_constant_or_from_a_column_and_never_negative(read: Read) -> None:
    text = "Ref,Date,Known\nA1,07/03/2024,10/03/2024\nA2,07/03/2024,\nA3,07/03/2024,01/03/2024\n"
    assert delays(read(text, delay={"days": 2}))[0] == timedelta(days=2)
    assert [delay.days for delay in delays(read(text, delay={"column": "Known", "days": 5}))] == [3, 5, 0]


def test_a_drawn_delay_depends_on_the_event_alone_and_follows_its_law(read: Read) -> None:
    lines = [f"A{n},07/03/2024\n" for n in range(1500)]
    law = {"median_days": 30, "sigma": 0.5, "seed": 7}
    rows = read("Ref,Date\n" + "".join(lines), delay=law)
    known = {row.event.event_id: row.known_at for row in rows if row.event}
    backwards = read("Ref,Date\n" + "".join(reversed(lines)), delay=law)
    assert known == {row.event.event_id: row.known_at for row in backwards if row.event}
    days = sorted(delay.days for delay in delays(rows))
    assert 28 <= days[750] <= 32
    # A normal's fifth percentile is 1.645 standard deviations below: 30 exp(-0.5 x 1.645) = 13.2 days.
    assert 12 <= days[75] <= 15
    other = read("Ref,Date\n" + lines[0], delay=law | {"seed": 8})
    assert other[0].known_at != known["A0"]
