"""From the bytes of a request to records: one JSON object, a JSON array, or one object to a line (NDJSON).

For the HTTP API and whatever else is handed JSON. A part that cannot be read becomes a :class:`Problem` in its place,
so that no other record is lost with it. It never repeats what was sent, and keeps no bytes of what it could not read.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Never

LARGEST_BODY = 10 * 1024 * 1024
"""About 20,000 records. A sender with more sends several bodies; a larger one would hold up everybody else's."""

DEEPEST = 16
"""No message is nested more than three deep."""

MOST_DIGITS = 18
"""The longest number that any field takes is a SNOMED CT code, and that is sent as text."""

_JSON = frozenset({"application/json", "text/json"})
_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not a record, in words that can be stored and shown."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class DecodedRecord:
    """One record of a body, or what is wrong with it; exactly one of the two is given."""

    place: str
    """Such as ``record 3`` or ``line 17``."""
    value: dict[str, Any] | None = None
    problem: Problem | None = None


class BodyRefused(ValueError):  # noqa: N818 (read aloud: the body was refused)
    """A body of which nothing was taken: the sender is told this sentence and nothing is stored."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def decode_batch(body: bytes, content_type: str = "application/json") -> Iterator[DecodedRecord]:
    """Yield every record of a body in order.

    Parameters
    ----------
    body : bytes
        At most :data:`LARGEST_BODY` bytes of UTF-8.
    content_type : str
        As the sender named it. Lines of JSON need one of the NDJSON types; anything JSON may hold one object or an
        array of them.

    Raises
    ------
    BodyRefused
        At once, before any record, if the body is empty, too large, not UTF-8 or of another type.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _JSON and kind not in _LINES:
        raise BodyRefused(
            "content_type",
            "Send records as application/json (one object or an array) or application/x-ndjson.",
        )
    if len(body) > LARGEST_BODY:
        raise BodyRefused(
            "too_large",
            f"The body is larger than {LARGEST_BODY // 2**20} MB; send the records in several bodies.",
        )
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyRefused(
            "encoding", f"The body is not UTF-8 (byte {error.start + 1}); send it in that encoding."
        ) from None
    if not text.strip(_SPACE):
        raise BodyRefused(
            "empty", "The body is empty; send at least one record, or an empty array to say none."
        )
    return _lines(text) if kind in _LINES else _document(text)


def _lines(text: str) -> Iterator[DecodedRecord]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(_SPACE):
            yield _record(line, f"line {number}")


def _document(text: str) -> Iterator[DecodedRecord]:
    start = len(text) - len(text.lstrip(_SPACE))
    if text[start] == "[":
        yield from _array(text, start + 1)
    else:
        yield _record(text, "the body")


def _array(text: str, at: int) -> Iterator[DecodedRecord]:
    """Yield the elements of an array one by one, so that a flaw in one is not a flaw in all."""
    at = _skip(text, at)
    number = 1
    if text[at : at + 1] == "]":
        yield from _after(text, at + 1, number)
        return
    while True:
        try:
            _, end = _LENIENT.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield _rest(number)
            return
        yield _record(text[at:end], f"record {number}")
        number += 1
        at = _skip(text, end)
        separator = text[at : at + 1]
        if separator == "]":
            yield from _after(text, at + 1, number)
            return
        if separator != ",":
            yield _rest(number)
            return
        at = _skip(text, at + 1)


def _after(text: str, at: int, number: int) -> Iterator[DecodedRecord]:
    if _skip(text, at) < len(text):
        yield _rest(number)


def _rest(number: int) -> DecodedRecord:
    sentence = (
        f"The array is not valid JSON from record {number} on: that record and whatever follows it could not be read; "
        "send them again."
    )
    return DecodedRecord(f"record {number}", problem=Problem("malformed", sentence))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


class _Flaw(ValueError):  # noqa: N818 (a flaw of a record is data, not a fault of ours)
    """Something that JSON may hold and a record may not."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = Problem(code, sentence)


def _record(text: str, place: str) -> DecodedRecord:
    try:
        value = _STRICT.decode(text)
    except RecursionError:
        return DecodedRecord(place, problem=_TOO_DEEP)
    except ValueError as error:
        if isinstance(error, _Flaw):
            return DecodedRecord(place, problem=error.problem)
        return DecodedRecord(
            place, problem=Problem("malformed", f"What stands at {place} is not valid JSON.")
        )
    if not isinstance(value, dict):
        return DecodedRecord(
            place, problem=Problem("malformed", f"What stands at {place} is not a JSON object.")
        )
    flaw = _flaw_of(value, text)
    return DecodedRecord(place, value) if flaw is None else DecodedRecord(place, problem=flaw)


def _flaw_of(value: dict[str, Any], text: str) -> Problem | None:
    if text.count("{") + text.count("[") > DEEPEST and _depth(value) > DEEPEST:
        return _TOO_DEEP
    # A lone half of a pair cannot be written as UTF-8, and no database column takes a NUL.
    if "\\u" in text and not _is_storable(value):
        return Problem(
            "bad_text", "The record holds a character that is no text (NUL, or half of a pair); leave it out."
        )
    return None


_TOO_DEEP = Problem("too_deep", "The record is nested too deeply; send it as documented.")


def _depth(value: object) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        inner: list[object] = []
        for item in level:
            inner.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        level = inner
    return deepest - 1


_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def _is_storable(value: object) -> bool:
    if isinstance(value, str):
        return _NOT_TEXT.search(value) is None
    if isinstance(value, dict):
        return all(_is_storable(key) and _is_storable(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(_is_storable, value))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Flaw("duplicate_key", "The record gives one field twice; send each field once.")
    return found


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise _Flaw(
            "number", f"The record holds a number of more than {MOST_DIGITS} digits; send codes as text."
        )
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Flaw("number", "The record holds a number that is too large; leave it out.")
    return number


def _constant(_: str) -> Never:
    raise _Flaw("number", "The record holds NaN or Infinity, which JSON does not have; leave the field out.")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
)
# Only to find where an element ends. Python refuses to read thousands of digits as a number; here nothing is read.
_LENIENT = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
