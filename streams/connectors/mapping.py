"""The mapping: a TOML file that says how the columns of a partner's table become events.

Read by replay, by the drop folder and by ``tocsin check-config``. This file is the model and its errors; what it does
to a row stands in ``mapped_rows.py``. Every key: docs/reference/mapping.md. A column that no key names is dropped
before anything else happens to a row.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from schemas.events import (
    EVENT,
    Confidence,
    DrugCheckingResult,
    EdPresentation,
    NaloxoneAdministration,
    SuspectedDeath,
)
from schemas.geography import AreaLevel
from schemas.vocabulary import Feed, Jurisdiction, Precision, Slug

Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Value = str | int | bool

_MODELS: Mapping[Feed, type[BaseModel]] = {
    Feed.SUSPECTED_DEATHS: SuspectedDeath,
    Feed.AMBULANCE_NALOXONE: NaloxoneAdministration,
    Feed.ED_PRESENTATIONS: EdPresentation,
    Feed.DRUG_CHECKING: DrugCheckingResult,
}
_SUBSTANCE_FIELDS = frozenset({"suspected", "confirmed", "sold_as", "detected"})
_MADE_ELSEWHERE = _SUBSTANCE_FIELDS | {
    *("event_id", "feed", "jurisdiction", "source", "occurred_at", "precision", "received_at", "areas")
}


class MappingError(ValueError):
    """A mapping, or a file beside it, that cannot be used: one sentence that says what and where."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnValue(_Part):
    """A field filled from a column."""

    column: Column
    values: dict[str, Value] | None = None
    """What the cell may hold (whatever its case) and what each means; without it, the cell is taken as it is."""
    otherwise: Value | None = None
    """What any other value means; without it, a row with another value is quarantined."""
    split: Annotated[str, StringConstraints(min_length=1, max_length=3)] | None = None
    """What parts the entries of a cell that holds several; only for fields that are lists."""

    @field_validator("values")
    @classmethod
    def _without_case(cls, values: dict[str, Value] | None) -> dict[str, Value] | None:
        return None if values is None else {word_of(word): value for word, value in values.items()}


class SourceRule(_Part):
    """Who reports. What a column holds is made into a slug: ``Site One`` becomes ``site-one``."""

    organisation: Slug | ColumnValue
    site: Slug | ColumnValue | None = None


class EventIdRule(_Part):
    """Where the identifier of a happening comes from: exactly one of the three."""

    column: Column | None = None
    row: Literal[True] | None = None
    """The row's number. Only for a file that is read once and never sent again in another order."""
    hash_of: Annotated[tuple[Column, ...], Field(min_length=1)] | None = None
    """A hash of these columns and of how many equal rows stood before it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        _one_of(self, "column", "row", "hash_of")
        return self


class FilterRule(_Part):
    """A condition that a row must meet to be an event at all: exactly one of the four. Case does not matter."""

    column: Column
    equals: str | None = None
    in_: tuple[str, ...] | None = Field(default=None, alias="in")
    not_in: tuple[str, ...] | None = None
    filled: bool | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        _one_of(self, "equals", "in_", "not_in", "filled")
        return self

    def passes(self, cell: str) -> bool:
        """Say whether a row with this cell is kept."""
        word = word_of(cell)
        if self.equals is not None:
            return word == word_of(self.equals)
        if self.in_ is not None:
            return word in {word_of(item) for item in self.in_}
        if self.not_in is not None:
            return word not in {word_of(item) for item in self.not_in}
        return bool(word) is self.filled


class TimeRule(_Part):
    """When it happened."""

    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    """The first of these that is filled."""
    time_column: Column | None = None
    """Where the time of day stands apart: put behind the date with a space before the formats are tried."""
    formats: Annotated[tuple[str, ...], Field(min_length=1)]
    """As in Python's ``strptime``; the first that fits. Without a time of day, noon is written."""
    time_zone: str = "Europe/London"
    """The zone that the times are written in, unless a format has ``%z``."""
    precision: Precision | ColumnValue | None = None
    """Unless given: minutes for a format with a time of day, else days."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone; write one such as Europe/London")
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)


class AreaRule(_Part):
    """Where: an area by its code or name, or the area nearest to a position, which is then dropped."""

    by: Literal["code", "name", "position"]
    columns: tuple[Column, ...] = ()
    """The first of these that is filled; for ``code`` and ``name``."""
    latitude: Column | None = None
    longitude: Column | None = None
    level: AreaLevel | None = None
    """The level of area that a position is placed in; unless given, the level that is tested."""
    within_km: Annotated[float, Field(gt=0)] | None = None
    """A position further than this from every area's point is ``outside``."""
    aliases: dict[str, str] = {}
    """More names, or codes of another vintage, each with its code."""
    aliases_file: str | None = None
    """The same as a CSV with the columns ``alias`` and ``code``, beside the mapping or among the tables given to it."""
    unknown: tuple[str, ...] = ()
    no_fixed_abode: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        position = (self.latitude, self.longitude)
        if self.by == "position" and (None in position or self.columns):
            raise ValueError("a position needs latitude and longitude, and no columns")
        if self.by != "position" and (not self.columns or position != (None, None) or self.within_km):
            raise ValueError(f"by = {self.by!r} needs columns, and no latitude, longitude or within_km")
        return self


class AreaRules(_Part):
    """The three places of an event, each only if the table has it."""

    event: AreaRule | None = None
    residence: AreaRule | None = None
    site: AreaRule | None = None


class SubstanceRule(_Part):
    """Which substances a row names, and into which field of the event they go. Rules add up."""

    field: Literal["suspected", "confirmed", "sold_as", "detected"]
    flags: dict[Column, str] = {}
    """Columns that are marked when a substance was found, each with that substance."""
    truthy: tuple[str, ...] = ("Y", "yes", "true", "1")
    above: float | None = None
    """Instead of ``truthy``: the flagged columns hold numbers, and a number above this marks the substance."""
    names: tuple[Column, ...] = ()
    """Columns whose cell is the name of a substance, sent on as it is."""
    split: Annotated[str, StringConstraints(min_length=1, max_length=3)] | None = None
    """What parts the names, where a cell of ``names`` holds several."""
    text: tuple[Column, ...] = ()
    """Columns of free text: only the substances that the taxonomy finds in it are kept."""
    method: Slug | None = None
    confidence: Confidence | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.flags or self.names or self.text):
            raise ValueError("a rule for substances needs flags, names or text")
        if self.field != "detected" and (self.method or self.confidence):
            raise ValueError("only detected substances have a method and a confidence")
        return self


class DelayRule(_Part):
    """How long after it happened a record became known; for replay. A drop folder knows when its file came."""

    days: Annotated[float, Field(ge=0, le=3660)] | None = None
    """A constant; beside ``column``, what holds where that is blank."""
    column: Column | None = None
    """A column with the date on which it became known."""
    formats: tuple[str, ...] = ()
    """Of that column; unless given, those of ``occurred_at``."""
    median_days: Annotated[float, Field(gt=0, le=3660)] | None = None
    sigma: Annotated[float, Field(ge=0, le=3)] | None = None
    """Lognormal: drawn from a hash of the event's id, so that order and restarts change nothing."""
    seed: int = 1

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        lognormal = self.median_days is not None or self.sigma is not None
        if lognormal and (self.median_days is None or self.sigma is None):
            raise ValueError("a lognormal delay needs median_days and sigma")
        if lognormal == (self.days is not None or self.column is not None):
            raise ValueError("give days, or column (with days for blanks), or median_days and sigma")
        return self


class FileMapping(_Part):
    """One partner's table."""

    name: Slug
    feed: Feed
    jurisdiction: Annotated[Slug, AfterValidator(Jurisdiction)] | ColumnValue
    encoding: Literal["utf-8", "cp1252", "latin-1", "utf-16"] = "utf-8"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    source: SourceRule
    event_id: EventIdRule
    filter: tuple[FilterRule, ...] = ()
    """Every one must pass. A row that does not is no event: it is counted as filtered and nothing else."""
    occurred_at: TimeRule
    areas: AreaRules = AreaRules()
    substances: tuple[SubstanceRule, ...] = ()
    fields: dict[str, ColumnValue | Value | list[Any]] = {}
    """Every other field of the feed's message: a constant, or a column."""
    delay: DelayRule = DelayRule(days=0)
    folder: Path = Path()
    """Where the mapping was read from; not a key of the file."""

    @model_validator(mode="after")
    def _fits_the_feed(self) -> Self:
        known = set(_MODELS[self.feed].model_fields)
        for named in self.substances:
            if named.field not in known:
                raise ValueError(
                    f"a record of the feed {self.feed} has no field {named.field!r} for substances"
                )
        allowed = sorted(known - _MADE_ELSEWHERE)
        for name, rule in self.fields.items():
            if name not in allowed:
                raise ValueError(f"fields.{name} is not one of {', '.join(allowed)}")
            for value in _constants(rule):
                self._check_constant(name, [value] if _is_split(rule) else value)
        return self

    def _check_constant(self, name: str, value: object) -> None:
        message = {
            "feed": self.feed,
            "event_id": "x",
            "jurisdiction": "x",
            "source": {"organisation": "x"},
            "occurred_at": "2000-01-01T00:00:00Z",
            name: value,
        }
        try:
            EVENT.validate_python(message)
        except ValidationError:
            raise ValueError(f"fields.{name} cannot be {value!r}") from None

    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping names, once each; all others are dropped unseen."""
        found: dict[str, None] = {}
        _collect(self, found)
        return tuple(found)


def load_mapping(path: Path) -> FileMapping:
    """Read a mapping from a TOML file.

    Raises
    ------
    MappingError
        If it cannot be read or says something that a mapping cannot say: one sentence for each error.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"The mapping {path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"The mapping {path.name} is not UTF-8; save it in that encoding.") from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"The mapping {path.name} is not valid TOML: {error}.") from error
    return mapping_from(document, name=path.name, folder=path.parent)


def mapping_from(document: dict[str, Any], *, name: str = "mapping", folder: Path = Path()) -> FileMapping:
    """Return the mapping that a parsed document describes, or raise :class:`MappingError`."""
    if "folder" in document:
        raise MappingError(f"{name}: folder is not a key of a mapping.")
    try:
        return FileMapping.model_validate(document | {"folder": folder})
    except ValidationError as error:
        raise MappingError(" ".join(dict.fromkeys(_sentences(error, name)))) from None


def word_of(cell: str) -> str:
    """Return a cell in the form in which words are compared: one space between words, no case."""
    return " ".join(cell.split()).casefold()


_TAGS = frozenset({"ColumnValue", "str", "int", "bool", "list[any]", "constrained-str", "literal[True]"})


def _sentences(error: ValidationError, name: str) -> list[str]:
    found = []
    for item in error.errors(include_url=False, include_context=False):
        parts = [str(part) for part in item["loc"] if not _is_tag(part)]
        place = ".".join(parts) or "the mapping"
        match item["type"]:
            case "missing":
                found.append(f"{name}: {place} is missing.")
            case "extra_forbidden":
                found.append(f"{name}: {place} is not a key of a mapping; see docs/reference/mapping.md.")
            case "value_error":
                found.append(f"{name}: {place}: {item['msg'].removeprefix('Value error, ')}.")
            case _:
                found.append(f"{name}: {place}: {item['msg'][0].lower()}{item['msg'][1:]}.")
    return found


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and (part in _TAGS or "[" in part)


def _one_of(part: _Part, *names: str) -> None:
    if sum(getattr(part, name) is not None for name in names) != 1:
        shown = ", ".join(name.rstrip("_") for name in names)
        raise ValueError(f"give exactly one of {shown}")


def _constants(rule: ColumnValue | Value | list[Any]) -> list[Any]:
    if not isinstance(rule, ColumnValue):
        return [rule]
    return [*(rule.values or {}).values(), *(() if rule.otherwise is None else (rule.otherwise,))]


def _is_split(rule: object) -> bool:
    return isinstance(rule, ColumnValue) and rule.split is not None


def _collect(part: BaseModel, found: dict[str, None]) -> None:
    """Gather the columns of a part and of the parts inside it."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name in _NAMES_A_COLUMN and isinstance(value, str):
            found[value] = None
        elif name in _NAMES_COLUMNS and isinstance(value, tuple | dict):
            found.update(dict.fromkeys(value))
        elif isinstance(value, BaseModel):
            _collect(value, found)
        elif isinstance(value, tuple | dict):
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, BaseModel):
                    _collect(item, found)


_NAMES_A_COLUMN = frozenset({"column", "time_column", "latitude", "longitude"})
_NAMES_COLUMNS = frozenset({"columns", "hash_of", "flags", "names", "text"})
