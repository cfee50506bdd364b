"""What a mapping does to one row: cells in, the content of one event out, or what is wrong with the row.

For ``csv_files.py``. It sees only the columns that the mapping names, screens what it made, and never repeats a cell:
a problem names the row and the column.
"""

import hashlib
import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

from pydantic import ValidationError

from schemas.events import EVENT, NO_FIXED_ABODE, OUTSIDE, UNKNOWN_AREA, Event, safe_errors
from schemas.geography import Geography
from schemas.substances import Taxonomy
from schemas.vocabulary import Precision
from streams.connectors.json_bodies import Problem
from streams.connectors.mapped_places import Cell, NoSuchCodeError, Place
from streams.connectors.mapping import ColumnValue, FileMapping, MappingError, SubstanceRule, word_of
from streams.screening import describe, screen

_MOST_REMEMBERED = 50_000
"""Distinct dates and texts whose meaning is kept while one file is read; they repeat, and parsing them is slow."""


class RowProblem(Exception):  # noqa: N818 (a row's problem is data, not a fault of ours)
    """Why one row is not an event; ``content`` is what could be mapped of it, unscreened."""

    def __init__(self, code: str, sentence: str, content: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.problem = Problem(code, sentence)
        self.content = content


@dataclass(frozen=True, slots=True)
class Mapped:
    """One row as an event, and when it became known."""

    event: Event
    known_at: datetime
    is_placed: bool
    """Whether any of its places is an area of the geography."""


class RowMapper:
    """A mapping made ready for one geography and one taxonomy; reads one file."""

    def __init__(
        self, mapping: FileMapping, geography: Geography, taxonomy: Taxonomy, *, tables: tuple[Path, ...] = ()
    ) -> None:
        self._mapping = mapping
        self._taxonomy = taxonomy
        self.area_codes: Container[str] = geography.areas
        folders = (mapping.folder, *tables)
        self._places = {
            name: Place(rule, geography, folders)
            for name in ("event", "residence", "site")
            if (rule := getattr(mapping.areas, name)) is not None
        }
        self._flags = [
            {column: self._known_name(name) for column, name in rule.flags.items()}
            for rule in mapping.substances
        ]
        self._truthy = [{word_of(word) for word in rule.truthy} for rule in mapping.substances]
        self._equal_rows: dict[bytes, int] = {}
        self._moments: dict[tuple[str, tuple[str, ...]], tuple[datetime, bool] | None] = {}
        self._found: dict[str, tuple[str, ...]] = {}

    def passes(self, cell: Cell) -> bool:
        """Say whether the row meets every condition of the mapping."""
        return all(rule.passes(cell(rule.column)) for rule in self._mapping.filter)

    def event_id(self, cell: Cell, row: int) -> str:
        """Return the row's identifier. Called once for every row, filtered or not, since equal rows are counted."""
        rule = self._mapping.event_id
        if rule.column is not None:
            return cell(rule.column)
        if rule.hash_of is None:
            return f"row-{row}"
        digest = hashlib.sha256(
            "\x1f".join(map(cell, rule.hash_of)).encode("utf-8", "surrogateescape")
        ).digest()
        before = self._equal_rows.get(digest, 0)
        self._equal_rows[digest] = before + 1
        return hashlib.sha256(digest + str(before).encode()).hexdigest()[:32]

    def map(self, cell: Cell, event_id: str) -> Mapped:
        """Return the event of the current row.

        Raises
        ------
        RowProblem
            If it is not one.
        """
        content: dict[str, Any] = {"event_id": event_id, "feed": self._mapping.feed.value}
        try:
            self._fill(content, cell)
        except RowProblem as problem:
            raise RowProblem(problem.problem.code, problem.problem.sentence, content) from None
        screened = screen(content, area_codes=self.area_codes)
        if screened.findings:
            raise RowProblem("identifier", describe(screened.findings), content)
        try:
            event = EVENT.validate_python(content)
        except ValidationError as error:
            raise RowProblem("invalid", safe_errors(error), content) from None
        areas = content.get("areas", {})
        is_placed = any(code not in _NO_AREA for code in areas.values())
        return Mapped(event, event.occurred_at + self._delay(cell, event), is_placed)

    def _fill(self, content: dict[str, Any], cell: Cell) -> None:
        mapping = self._mapping
        content["jurisdiction"] = _slug(self._value("jurisdiction", mapping.jurisdiction, cell))
        site = self._value("source.site", mapping.source.site, cell)
        content["source"] = {
            "organisation": _slug(self._value("source.organisation", mapping.source.organisation, cell)),
            **({} if site in (None, "") else {"site": _slug(site)}),
        }
        try:
            content["areas"] = {name: place.of(cell) for name, place in self._places.items()}
        except NoSuchCodeError as error:
            sentence = (
                f"The column {error.column!r} holds a code that is no area of the loaded geography; send a code of that "
                "geography, add an alias for it to the mapping, or leave it empty."
            )
            raise RowProblem("unknown_area", sentence) from None
        for name, rule in mapping.fields.items():
            value = self._value(f"fields.{name}", rule, cell)
            if value not in (None, ""):
                content[name] = value
        for number, named in enumerate(mapping.substances):
            self._substances(content, number, named, cell)
        moment, has_time = self._moment(cell)
        precision = self._value("occurred_at.precision", mapping.occurred_at.precision, cell)
        content["precision"] = precision or (Precision.MINUTE if has_time else Precision.DAY).value
        content["occurred_at"] = moment.isoformat()

    def _value(self, name: str, rule: object, cell: Cell) -> Any:  # noqa: ANN401 (whatever the field takes)
        if not isinstance(rule, ColumnValue):
            return rule
        text = cell(rule.column)
        if rule.split is not None:
            parts = [part.strip() for part in text.split(rule.split)]
            return [self._translated(name, rule, part) for part in parts if part]
        return self._translated(name, rule, text)

    @staticmethod
    def _translated(name: str, rule: ColumnValue, text: str) -> Any:  # noqa: ANN401
        if rule.values is None:
            return text
        meant = rule.values.get(word_of(text), rule.otherwise)
        if meant is None and text:
            sentence = (
                f"The column {rule.column!r} holds a value that the mapping does not list under {name}."
            )
            raise RowProblem("unlisted_value", sentence)
        return meant

    def _moment(self, cell: Cell) -> tuple[datetime, bool]:
        """Return when it happened, in UTC, and whether a time of day was given."""
        rule = self._mapping.occurred_at
        column = next((column for column in rule.columns if cell(column)), None)
        if column is None:
            names = " and ".join(repr(column) for column in rule.columns)
            raise RowProblem(
                "no_date", f"The column {names} is blank: the row does not say when it happened."
            )
        text = cell(column)
        if rule.time_column is not None and (clock := cell(rule.time_column)):
            text = f"{text} {clock}"
        found = self._parsed(text, rule.formats)
        if found is None:
            raise RowProblem(
                "bad_date", f"The column {column!r} holds no date in a format that the mapping lists."
            )
        return found

    def _parsed(self, text: str, formats: tuple[str, ...]) -> tuple[datetime, bool] | None:
        key = (text, formats)
        if key not in self._moments:
            if len(self._moments) >= _MOST_REMEMBERED:
                self._moments.clear()
            self._moments[key] = self._parse(text, formats)
        return self._moments[key]

    def _parse(self, text: str, formats: tuple[str, ...]) -> tuple[datetime, bool] | None:
        for form in formats:
            try:
                moment = datetime.strptime(text, form)  # noqa: DTZ007 (the mapping's zone is given below)
            except ValueError:
                continue
            has_time = any(part in form for part in ("%H", "%I", "%c", "%X", "%T"))
            if not has_time:
                # Noon is on the same day in every time zone from 12 hours west to 11 hours east of it.
                moment = datetime.combine(moment.date(), time(12), moment.tzinfo)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self._mapping.occurred_at.zone)
            return moment.astimezone(UTC), has_time
        return None

    def _substances(self, content: dict[str, Any], number: int, rule: SubstanceRule, cell: Cell) -> None:
        named: dict[str, None] = dict.fromkeys(self._flagged(number, rule, cell))
        for column in rule.names:
            text = cell(column)
            parts = text.split(rule.split) if rule.split is not None else [text]
            named.update(dict.fromkeys(part.strip() for part in parts if part.strip()))
        for column in rule.text:
            named.update(dict.fromkeys(self._in_text(cell(column))))
        already: list[Any] = content.setdefault(rule.field, [])
        for name in named:
            entry = _detection(name, rule) if rule.field == "detected" else name
            if entry not in already:
                already.append(entry)

    def _flagged(self, number: int, rule: SubstanceRule, cell: Cell) -> list[str]:
        found = []
        for column, name in self._flags[number].items():
            text = cell(column)
            if not text:
                continue
            if rule.above is None:
                if word_of(text) in self._truthy[number]:
                    found.append(name)
                continue
            amount = _number(text)
            if amount is None:
                raise RowProblem(
                    "not_a_number", f"The column {column!r} holds something that is not a number."
                )
            if amount > rule.above:
                found.append(name)
        return found

    def _in_text(self, text: str) -> tuple[str, ...]:
        if text not in self._found:
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            self._found[text] = tuple(substance.name for substance in self._taxonomy.find_all(text))
        return self._found[text]

    def _known_name(self, name: str) -> str:
        known = self._taxonomy.classify(name)
        if known is None:
            raise MappingError(
                f"The mapping {self._mapping.name} flags {name!r}, which the taxonomy does not know; use a name it has."
            )
        return known.name

    def _delay(self, cell: Cell, event: Event) -> timedelta:
        rule = self._mapping.delay
        if rule.median_days is not None and rule.sigma is not None:
            return timedelta(
                days=rule.median_days * math.exp(rule.sigma * _normal(rule.seed, event.event_id))
            )
        if rule.column is not None and (text := cell(rule.column)):
            found = self._parsed(text, rule.formats or self._mapping.occurred_at.formats)
            if found is None:
                sentence = f"The column {rule.column!r} holds no date in a format that the mapping lists."
                raise RowProblem("bad_date", sentence, event.model_dump(mode="json", exclude_none=True))
            return max(found[0] - event.occurred_at, timedelta())
        return timedelta(days=rule.days or 0)


_NO_AREA = frozenset({UNKNOWN_AREA, NO_FIXED_ABODE, OUTSIDE})


def _slug(text: object) -> str:
    """Return a name as a slug: lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", str(text).casefold()).strip("-")[:64].strip("-")


def _detection(name: str, rule: SubstanceRule) -> Mapping[str, str]:
    entry = {"substance": name}
    if rule.method is not None:
        entry["method"] = rule.method
    if rule.confidence is not None:
        entry["confidence"] = rule.confidence.value
    return entry


def _number(text: str) -> float | None:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _normal(seed: int, event_id: str) -> float:
    """Return a standard normal draw that depends on nothing but the seed and the identifier."""
    digest = hashlib.sha256(f"{seed}\x1f{event_id}".encode()).digest()
    # 53 bits, moved off 0 and 1 by half a step, where the inverse is infinite.
    uniform = ((int.from_bytes(digest[:8]) >> 11) + 0.5) / 2**53
    return NormalDist().inv_cdf(uniform)
