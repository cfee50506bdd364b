"""A mapping that cannot work says so in one sentence, before it meets a file."""

from pathlib import Path
from typing import Any

import pytest

from streams.connectors.mapping import MappingError, load_mapping, mapping_from

GOOD: dict[str, Any] = {
    "name": "coast-deaths",
    "feed": "suspected-deaths",
    "jurisdiction": "coast",
    "source": {"organisation": "coroner"},
    "event_id": {"column": "Ref"},
    "occurred_at": {"columns": ["Date"], "formats": ["%d/%m/%Y"]},
}


def test_it_names_each_column_once_wherever_it_is_named() -> None:
    mapping = mapping_from(
        GOOD
        | {
            "jurisdiction": {"column": "LDIS"},
            "source": {"organisation": "coroner", "site": {"column": "Office"}},
            "event_id": {"hash_of": ["Date", "Town"]},
            "filter": [{"column": "Kind", "equals": "drug"}],
            "areas": {"event": {"by": "name", "columns": ["Town", "County"]}},
            "substances": [{"field": "confirmed", "flags": {"Heroin": "heroin"}, "text": ["Cause"]}],
            "fields": {"sex": {"column": "Sex", "values": {"F": "female"}}},
            "delay": {"column": "Known"},
        }
    )
    columns = mapping.columns()
    assert set(columns) == {
        "LDIS",
        "Office",
        "Date",
        "Town",
        "Kind",
        "County",
        "Heroin",
        "Cause",
        "Sex",
        "Known",
    }
    assert len(columns) == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"feeds": "x"}, "feeds is not a key of a mapping"),
        ({"source": {"organisation": "coroner", "phone": "x"}}, "source.phone is not a key"),
        ({"feed": "deaths"}, "feed: input should be"),
        ({"event_id": {}}, "event_id: give exactly one of column, row, hash_of"),
        ({"event_id": {"row": True, "column": "Ref"}}, "exactly one of"),
        ({"filter": [{"column": "Kind"}]}, "filter.0: give exactly one of equals, in, not_in, filled"),
        ({"occurred_at": {"columns": ["Date"], "formats": []}}, "occurred_at.formats"),
        ({"occurred_at": GOOD["occurred_at"] | {"time_zone": "Kent"}}, "'Kent' is not a time zone"),
        ({"areas": {"event": {"by": "position", "latitude": "lat"}}}, "needs latitude and longitude"),
        ({"areas": {"event": {"by": "name"}}}, "needs columns"),
        ({"substances": [{"field": "detected", "text": ["Cause"]}]}, "has no field 'detected'"),
        ({"substances": [{"field": "confirmed"}]}, "needs flags, names or text"),
        (
            {"substances": [{"field": "confirmed", "text": ["x"], "method": "gc-ms"}]},
            "only detected substances",
        ),
        ({"fields": {"doses": []}}, "fields.doses is not one of"),
        ({"fields": {"event_id": "x"}}, "fields.event_id is not one of"),
        ({"fields": {"toxicology": "done"}}, "fields.toxicology cannot be 'done'"),
        ({"fields": {"sex": {"column": "Sex", "values": {"F": "woman"}}}}, "fields.sex cannot be 'woman'"),
        ({"delay": {"median_days": 3}}, "needs median_days and sigma"),
        ({"delay": {"days": 1, "median_days": 3, "sigma": 1}}, "give days, or column"),
        ({"folder": "/"}, "folder is not a key"),
    ],
)
def test_each_mistake_is_named_with_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MappingError) as error:
        mapping_from(GOOD | change, name="coast.toml")
    assert words.lower() in str(error.value).lower()
    assert str(error.value).startswith("coast.toml")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MappingError, match=r"coast\.toml: feed is missing"):
        mapping_from({name: value for name, value in GOOD.items() if name != "feed"}, name="coast.toml")


@pytest.mark.parametrize(
    ("text", "words"), [("a = ", "not valid TOML"), (None, "cannot be read"), (b"\xff", "UTF-8")]
)
def test_an_unreadable_mapping_is_one_sentence(tmp_path: Path, text: str | bytes | None, words: str) -> None:
    path = tmp_path / "m.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MappingError, match=words):
        load_mapping(path)


@pytest.mark.parametrize("name", ["connecticut-deaths", "tempe-naloxone", "british-columbia-samples"])
def test_the_worked_examples_are_mappings(name: str) -> None:
    root = Path(__file__).parents[3]
    assert load_mapping(root / "docs" / "how-to" / "examples" / f"{name}.toml").name == name
