"""The published contracts and reference pages say what the code does."""

import json
from pathlib import Path

import pytest

from schemas.events import EVENT
from schemas.export import CONTRACTS, documents
from tools import generate_reference

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_reference_is_up_to_date() -> None:
    assert generate_reference.out_of_date(ROOT) == [], "run: python tools/generate_reference.py"


def test_a_page_that_differs_is_named(tmp_path: Path) -> None:
    for path, text in generate_reference.pages().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert generate_reference.out_of_date(tmp_path) == []
    (tmp_path / "docs/reference/cli.md").write_text("Old words.\n", encoding="utf-8")
    (tmp_path / "docs/reference/schemas/event.json").unlink()
    (tmp_path / "docs/reference/schemas/telegram.json").write_text("{}", encoding="utf-8")
    assert generate_reference.out_of_date(tmp_path) == [
        "docs/reference/cli.md: is out of date",
        "docs/reference/schemas/event.json: is missing",
        "docs/reference/schemas/telegram.json: belongs to no contract any more",
    ]


def test_the_same_models_give_the_same_documents() -> None:
    assert json.dumps(documents()) == json.dumps(documents())


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_no_contract_lets_unknown_fields_in(contract: object) -> None:
    document = documents()[contract.name]  # type: ignore[attr-defined]
    objects = [one for one in (document, *document.get("$defs", {}).values()) if one.get("type") == "object"]
    assert objects
    assert [one for one in objects if one.get("additionalProperties") is not False] == []


def test_the_schema_of_an_event_has_a_message_for_each_feed() -> None:
    document = documents()["event"]
    tags = document["discriminator"]["mapping"]
    assert sorted(tags) == ["ambulance-naloxone", "drug-checking", "ed-presentations", "suspected-deaths"]
    for reference in tags.values():
        message = document["$defs"][reference.rsplit("/", 1)[1]]
        assert {"event_id", "jurisdiction", "source", "occurred_at", "feed"} <= set(message["properties"])


def test_what_the_schema_requires_of_an_event_is_what_the_code_requires() -> None:
    document = documents()["event"]
    least = {
        "feed": "ambulance-naloxone",
        "event_id": "a-1",
        "jurisdiction": "kent-and-medway",
        "source": {"organisation": "secamb"},
        "occurred_at": "2018-01-22T12:00:00Z",
    }
    required = document["$defs"]["NaloxoneAdministration"]["required"]
    assert set(required) == least.keys() - {"feed"}
    assert EVENT.validate_python(least).feed == "ambulance-naloxone"


def test_an_incident_is_published_with_its_count_as_words_and_not_as_a_number() -> None:
    assert documents()["incident"]["properties"]["observed"]["type"] == "string"
