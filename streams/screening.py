"""Screening: find what no record may hold, before anything is stored.

For the connectors, which screen before they append to the event log, and for a release from quarantine. A record
in which :func:`screen` finds something goes to quarantine as the redacted copy made here; its original bytes must
never be stored, logged or answered back. How one piece of text is judged stands in ``screening_rules.py``; this file
walks the record and knows which field may hold what.

It must never echo a value, nor a key that the sender made up: both may be identifying.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.events import FIELD_NAMES, Areas
from streams.screening_keys import kind_of_key
from streams.screening_rules import (
    Identifier,
    day_of,
    holds_identifier,
    identifier_in_code,
    identifier_in_opaque_text,
    is_moment,
    is_nhs_number,
    is_ons_code,
    may_hold_something,
)

MAX_DEPTH = 32
"""No message is nested more than three deep; deeper input is hostile or broken."""

LONGEST_SCREENED = 1_000
"""Far longer than any field takes. Longer text is not searched, which could take hours, but not kept either."""

UNNAMED = "[unnamed field]"
"""The name under which a redacted copy shows a field that no message has."""

LEFT_OUT = "[left out]"
"""What it shows in place of such a field's value, and of text longer than any field takes."""

LONGEST_TEXT = 128
"""The longest text of any field; what is longer may be somebody's story."""

_EPOCH_SECONDS = range(946_684_800, 2_208_988_800)
"""2000 to 2040: a bare number in a time field is then a time, not an NHS number."""

_SMALLEST_NUMBER = 10**8
"""A spreadsheet drops the zero that a Scottish number (CHI) may begin with: nine digits are looked at too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that should not be there."""

    kind: Identifier
    place: str
    """The path of known field names, such as ``source.site``; never a value or an unknown key."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What screening found, and what may be kept."""

    clean: dict[str, Any] | None
    """The record with every such value replaced by words; None if nothing was found."""
    findings: tuple[Finding, ...]


def screen(record: Mapping[str, Any], *, area_codes: Container[str] = ()) -> Screened:
    """Look at every key, string and number of a record, however deep.

    Parameters
    ----------
    record : Mapping
        A decoded JSON object. It is not changed.
    area_codes : container of str
        Codes of the loaded geography. They pass as areas, even those that are ten digits with a valid check digit,
        as one in eleven of the ten-digit codes of American towns is.

    Returns
    -------
    Screened
        ``findings`` is empty for a record that may be stored; otherwise ``clean`` is the copy for quarantine.
    """
    walk = _Walk(record, area_codes)
    if walk.is_plainly_clean(record):
        return Screened(None, ())
    clean = walk.mapping(record, "", 1)
    return Screened(clean, tuple(walk.findings)) if walk.findings else Screened(None, ())


def describe(findings: Sequence[Finding]) -> str:
    """Say in plain sentences what was found, where, and what to do about it."""
    found = list(dict.fromkeys(f"{finding.kind.words} in {finding.place}" for finding in findings))
    advice = list(dict.fromkeys(finding.kind.advice for finding in findings))
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""  # noqa: PLR2004 (two fit a sentence)
    return f"The record seems to hold {', '.join(found[:2])}{more}. {' '.join(advice[:2])}"


class _Walk:
    """One pass over a record: collects findings and builds the redacted copy beside them."""

    def __init__(self, record: Mapping[str, Any], area_codes: Container[str]) -> None:
        self.findings: list[Finding] = []
        self._record = record
        self._area_codes = area_codes

    def is_plainly_clean(self, value: Mapping[Any, Any], depth: int = 1) -> bool:
        """Say quickly whether a record, or an object in it, has known fields only and nothing to find.

        Nearly every record ends here, and pays neither for the copy nor for the names of places.
        """
        if depth >= MAX_DEPTH:
            return False
        for key, item in value.items():
            if key not in FIELD_NAMES:
                return False
            for one in item if isinstance(item, list | tuple) else (item,):
                if isinstance(one, str):
                    if self._kind_of_text(one, key) is not None:
                        return False
                elif isinstance(one, Mapping):
                    if not self.is_plainly_clean(one, depth + 1):
                        return False
                elif one is not None and not (isinstance(one, int | float) and abs(one) < _SMALLEST_NUMBER):
                    return False
        return True

    def mapping(self, value: Mapping[Any, Any], place: str, depth: int) -> dict[str, Any]:
        """Return the clean copy of one object."""
        clean: dict[str, Any] = {}
        for key, item in value.items():
            if key in FIELD_NAMES:
                clean[key] = self._value(item, key, f"{place}.{key}" if place else key, depth)
            else:
                self._unknown_field(clean, key, item, (place, depth))
        return clean

    def _unknown_field(
        self,
        clean: dict[str, Any],
        key: object,
        item: Any,  # noqa: ANN401 (whatever JSON holds)
        at: tuple[str, int],
    ) -> None:
        """Look at a field that no message has: its name may say what it holds, or be an identifier.

        The copy for quarantine keeps no such value, found or not: it may be somebody's name.
        """
        place, depth = at
        name = str(key)
        here = f"{place}.an unnamed field" if place else "an unnamed field"
        said = kind_of_key(name)
        in_key = Identifier.TOO_LONG if len(name) > LONGEST_SCREENED else holds_identifier(name)
        if in_key is not None:
            self.findings.append(Finding(in_key, here))
        if said is not None and item is not None and item not in ("", [], {}):
            self.findings.append(Finding(said, here))
            kept = said.redacted
        else:
            before = len(self.findings)
            self._value(item, name, here, depth)
            kept = self.findings[-1].kind.redacted if len(self.findings) > before else LEFT_OUT
        clean[_unused(name if said and not in_key else UNNAMED, clean)] = kept

    def _value(self, value: Any, name: str, place: str, depth: int) -> Any:  # noqa: ANN401 (any JSON)
        kind: Identifier | None = None
        if isinstance(value, str):
            kind = self._kind_of_text(value, name)
        elif value is None or isinstance(value, bool):
            return value
        elif isinstance(value, int | float):
            kind = _kind_of_number(value, name)
        elif depth >= MAX_DEPTH:
            kind = Identifier.TOO_DEEP
        elif isinstance(value, Mapping):
            return self.mapping(value, place, depth + 1)
        elif isinstance(value, list | tuple):
            return [self._value(item, name, f"{place}.{n}", depth + 1) for n, item in enumerate(value, 1)]
        if kind is None:
            return LEFT_OUT if isinstance(value, str) and len(value) > LONGEST_TEXT else value
        self.findings.append(Finding(kind, place))
        return kind.redacted

    def _kind_of_text(self, text: str, name: str) -> Identifier | None:
        if len(text) > LONGEST_SCREENED:
            return Identifier.TOO_LONG
        if not may_hold_something(text):
            return None
        if name in _AREA_FIELDS and (is_ons_code(text) or text in self._area_codes):
            return None
        rule = _RULES.get(name)
        return holds_identifier(text) if rule is None else rule(text, self._record)


_AREA_FIELDS = frozenset(Areas.model_fields)


def _in_time(text: str, _: Mapping[str, Any]) -> Identifier | None:
    """A moment is what the field is for, in words or in seconds; a bare date is only badly written."""
    if is_moment(text) or (text.isdecimal() and int(text) in _EPOCH_SECONDS):
        return None
    kind = holds_identifier(text)
    return None if kind is Identifier.DATE_OF_BIRTH else kind


def _in_opaque(text: str, record: Mapping[str, Any]) -> Identifier | None:
    return identifier_in_opaque_text(text, day_of(record.get("occurred_at")))


def _in_code(text: str, _: Mapping[str, Any]) -> Identifier | None:
    return identifier_in_code(text)


_RULES: Mapping[str, Callable[[str, Mapping[str, Any]], Identifier | None]] = {
    "occurred_at": _in_time,
    "received_at": _in_time,
    "event_id": _in_opaque,
    "batch": _in_opaque,
    "scene": _in_opaque,
    "subject": _in_opaque,
    "diagnoses": _in_code,
}
"""The fields in which text means something special; everywhere else every rule holds."""


def _kind_of_number(value: float, name: str) -> Identifier | None:
    if not _SMALLEST_NUMBER <= abs(value) < math.inf or value != int(value):
        return None
    if name in ("occurred_at", "received_at") and int(value) in _EPOCH_SECONDS:
        return None
    return Identifier.NHS_NUMBER if is_nhs_number(str(abs(int(value))).zfill(10)) else None


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """Return ``name``, numbered if two keys of one object were redacted to the same words."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name} {number}"
    return candidate
