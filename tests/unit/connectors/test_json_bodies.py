"""Each record of a body stands or falls alone, and nothing that was sent is repeated."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.json_bodies import LARGEST_BODY, BodyRefused, DecodedRecord, decode_batch

OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just("é"),
    max_size=4,
)


def codes(records: list[DecodedRecord]) -> list[str | None]:
    return [None if record.problem is None else record.problem.code for record in records]


@given(st.lists(OBJECTS, min_size=1, max_size=5), st.booleans())
def test_what_was_sent_comes_back_in_order(sent: list[dict[str, Any]], as_lines: bool) -> None:
    if as_lines:
        body = "\n".join(json.dumps(item, ensure_ascii=False) for item in sent).encode()
        found = list(decode_batch(body, "application/x-ndjson; charset=utf-8"))
    else:
        found = list(decode_batch(json.dumps(sent, indent=1).encode()))
    assert [record.value for record in found] == sent


def test_one_object_is_a_batch_of_one() -> None:
    assert list(decode_batch(b' {"a": 1} ')) == [DecodedRecord("the body", {"a": 1})]


def test_an_empty_array_says_that_there_are_no_records() -> None:
    assert list(decode_batch(b"[ ]")) == []


def test_a_malformed_line_is_named_and_loses_no_other() -> None:
    found = list(decode_batch(b'{"a": 1}\n\n{"name": "Jones\r\n{"b": 2}\n', "application/x-ndjson"))
    assert [(record.place, record.value) for record in found] == [
        ("line 1", {"a": 1}),
        ("line 3", None),
        ("line 4", {"b": 2}),
    ]
    assert "Jones" not in str(found)


def test_a_flaw_in_one_element_of_an_array_loses_no_other() -> None:
    body = b'[{"a": 1}, {"a": 1, "a": 2}, {"b": NaN}, 3, {"c": 1e999}, {"d": ' + b"1" * 5000 + b'}, {"e": 5}]'
    found = list(decode_batch(body))
    assert codes(found) == [None, "duplicate_key", "number", "malformed", "number", "number", None]
    assert found[-1].value == {"e": 5}


@pytest.mark.parametrize("tail", ['{"b": 2', '{"b": 2} {"c": 3}]', '{"b": 2}] x', "]", ""])
def test_an_array_that_breaks_off_keeps_what_came_before_and_says_from_where_to_send_again(tail: str) -> None:
    found = list(decode_batch(b'[{"a": 1}, ' + tail.encode()))
    assert found[0].value == {"a": 1}
    assert found[-1].problem is not None
    assert "send them again" in found[-1].problem.sentence


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"a":' + b'{"a":' * 40 + b"1" + b"}" * 41,
    ],
)
def test_nesting_without_end_is_a_problem_and_not_a_crash(body: bytes) -> None:
    (found,) = decode_batch(body)
    assert found.problem is not None


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"a": "x\\u0000"}', '{"\\udfff": 1}'])
def test_text_that_no_database_can_store_is_a_problem(text: str) -> None:
    assert codes(list(decode_batch(text.encode()))) == ["bad_text"]


def test_an_ordinary_escape_is_text() -> None:
    assert [record.value for record in decode_batch(rb'{"a": "\\u0000"}')] == [{"a": r"\u0000"}]
    assert [record.value for record in decode_batch(b'{"a": "\\u00e9\\ud83d\\ude00"}')] == [{"a": "é😀"}]


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"", "application/json", "empty"),
        (b" \n ", "application/x-ndjson", "empty"),
        (b"\xff\xfe{", "application/json", "encoding"),
        (b"{}", "text/csv", "content_type"),
        (b" " * (LARGEST_BODY + 1), "application/json", "too_large"),
    ],
)
def test_a_body_that_cannot_be_read_at_all_is_refused_with_one_sentence(
    body: bytes, content_type: str, code: str
) -> None:
    with pytest.raises(BodyRefused) as refused:
        decode_batch(body, content_type)
    assert refused.value.code == code
    assert refused.value.sentence.count(". ") == 0


@given(st.binary(max_size=60), st.sampled_from(["application/json", "application/x-ndjson"]))
def test_no_body_whatever_crashes_the_reader(body: bytes, content_type: str) -> None:
    try:
        found = list(decode_batch(body, content_type))
    except BodyRefused:
        return
    assert all((record.value is None) != (record.problem is None) for record in found)
