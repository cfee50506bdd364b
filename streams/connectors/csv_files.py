"""Reads a partner's CSV file by a mapping, row by row, without ever holding the file in memory.

For replay and the drop folder: :func:`read_events`. A column that the mapping names and the file lacks is one error
before any row; a bad row is a problem in its place and never stops the others; no cell is ever repeated.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

from schemas.events import Event
from schemas.geography import Geography
from schemas.substances import Taxonomy
from streams.connectors.json_bodies import Problem
from streams.connectors.mapped_rows import RowMapper, RowProblem
from streams.connectors.mapping import FileMapping, MappingError
from streams.decoding import known_fields
from streams.screening import screen

MOST_LINES = 50
"""A row of more lines than this is taken for a quotation mark that was never closed."""


_UNDECODED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One row that is an event or has a problem; exactly one of the two is given."""

    place: str
    """``row 2`` is the first below the header, as a spreadsheet numbers it."""
    event: Event | None = None
    known_at: datetime | None = None
    """When it became known, by the mapping's delay: for replay."""
    problem: Problem | None = None
    content: dict[str, Any] | None = None
    """Of a row with a problem: what could be mapped, screened and redacted, for quarantine."""
    content_complete: bool = False


@dataclass
class Tally:
    """What became of the rows so far."""

    rows: int = 0
    mapped: int = 0
    filtered: int = 0
    problems: int = 0
    not_placed: int = 0
    """Of those mapped: none of their places is an area of the geography; they count for the whole jurisdiction."""


class MappedFile(Iterator[MappedRow]):
    """An open file: iterate over it; ``tally`` says what became of the rows so far. Filtered rows are not yielded."""

    def __init__(self, path: Path, mapping: FileMapping, mapper: RowMapper) -> None:
        self.tally = Tally()
        self._mapper = mapper
        self._name = path.name
        self._mapping = mapping
        self._stream = _opened(path, mapping.encoding)
        try:
            self._reader = csv.reader(self._stream, delimiter=mapping.delimiter)
            self._width, self._columns = self._header()
        except BaseException:
            self._stream.close()
            raise
        self._rows = self._read()

    def __iter__(self) -> Self:
        """Return itself: a file is read once."""
        return self

    def __next__(self) -> MappedRow:
        """Return the next row that is not filtered out."""
        return next(self._rows)

    def close(self) -> None:
        """Close the file; reading to its end does so by itself."""
        self._stream.close()

    def _header(self) -> tuple[int, dict[str, int]]:
        try:
            header = [name.strip() for name in next(self._reader, [])]
        except (OSError, EOFError, UnicodeError, zlib.error, csv.Error) as error:
            raise MappingError(
                f"The file {self._name} cannot be read as CSV ({type(error).__name__})."
            ) from None
        named = self._mapping.columns()
        missing = [repr(column) for column in named if column not in header]
        if missing:
            raise MappingError(
                f"The file {self._name} has no column {', '.join(missing)}, which the mapping "
                f"{self._mapping.name} names; add it to the file's first line or correct the mapping."
            )
        twice = [repr(column) for column in named if header.count(column) > 1]
        if twice:
            raise MappingError(
                f"The file {self._name} has the column {', '.join(twice)} more than once; rename one of them."
            )
        return len(header), {column: header.index(column) for column in named}

    def _read(self) -> Iterator[MappedRow]:
        number = 1
        with self._stream:
            while True:
                line = self._reader.line_num
                try:
                    cells = next(self._reader)
                except StopIteration:
                    return
                except csv.Error:
                    number += 1
                    yield self._unreadable(
                        number, "The row cannot be read as CSV; its quotation marks may be wrong."
                    )
                    continue
                except (OSError, EOFError, UnicodeError, zlib.error) as error:
                    raise MappingError(
                        f"The file {self._name} breaks off or is damaged after row {number} "
                        f"({type(error).__name__}); ask for it again."
                    ) from None
                number += 1
                if not cells:
                    continue
                row = self._row(cells, number, self._reader.line_num - line)
                if row is not None:
                    yield row

    def _row(self, cells: list[str], number: int, lines: int) -> MappedRow | None:
        if lines > MOST_LINES:
            sentence = f"The row runs over {lines} lines: a quotation mark in it was not closed; mend it, send again."
            return self._unreadable(number, sentence)
        if len(cells) != self._width:
            sentence = f"The row has {len(cells)} cells where the first line has {self._width}."
            return self._unreadable(number, sentence)
        columns = self._columns

        def cell(column: str) -> str:
            return cells[columns[column]].strip()

        self.tally.rows += 1
        event_id = self._mapper.event_id(cell, number)
        if not self._mapper.passes(cell):
            self.tally.filtered += 1
            return None
        if (flaw := self._flaw_of(cells)) is not None:
            self.tally.problems += 1
            return MappedRow(f"row {number}", problem=flaw)
        try:
            mapped = self._mapper.map(cell, event_id)
        except RowProblem as problem:
            self.tally.problems += 1
            return _with_problem(number, problem, self._mapper.area_codes)
        self.tally.mapped += 1
        self.tally.not_placed += not mapped.is_placed
        return MappedRow(f"row {number}", mapped.event, mapped.known_at)

    def _flaw_of(self, cells: list[str]) -> Problem | None:
        """Return what no cell that the mapping names may hold, if one does."""
        named = [cells[at] for at in self._columns.values()]
        if not all(map(str.isascii, cells)) and any(map(_UNDECODED.search, named)):
            encoding = self._mapping.encoding
            return Problem(
                "encoding",
                f"The row is not in the encoding {encoding}; save the file in it, or name its own.",
            )
        if any("\0" in cell for cell in named):
            return Problem("bad_text", "The row holds a NUL character, which is no text; leave it out.")
        return None

    def _unreadable(self, number: int, sentence: str) -> MappedRow:
        self.tally.rows += 1
        self.tally.problems += 1
        return MappedRow(f"row {number}", problem=Problem("malformed", sentence))


def read_events(
    path: Path,
    mapping: FileMapping,
    geography: Geography,
    taxonomy: Taxonomy,
    *,
    tables: tuple[Path, ...] = (),
) -> MappedFile:
    """Open a CSV file (``.csv``, or ``.csv.gz``) and return its rows as events.

    Parameters
    ----------
    path, mapping, geography, taxonomy
        The file, how to read it, where its places are and what its substances are.
    tables : tuple of Path
        Folders, besides the mapping's own, in which the mapping's tables of aliases may be.

    Raises
    ------
    MappingError
        Before any row, if the file cannot be read, lacks a column that the mapping names, or the mapping does not fit
        the geography or the taxonomy; while reading, if the file breaks off.
    """
    return MappedFile(path, mapping, RowMapper(mapping, geography, taxonomy, tables=tables))


def _with_problem(number: int, problem: RowProblem, area_codes: Container[str]) -> MappedRow:
    content, complete = None, False
    if problem.content is not None:
        screened = screen(problem.content, area_codes=area_codes)
        content, complete = known_fields(problem.content if screened.clean is None else screened.clean)
        complete = complete and screened.clean is None and problem.problem.code == "invalid"
    return MappedRow(f"row {number}", problem=problem.problem, content=content, content_complete=complete)


def _opened(path: Path, encoding: str) -> IO[str]:
    # A byte that is not of the encoding spoils its own row, not the file.
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        if path.suffix.lower() == ".gz":
            return gzip.open(path, "rt", encoding=encoding, errors="surrogateescape", newline="")
        return path.open(encoding=encoding, errors="surrogateescape", newline="")
    except OSError as error:
        raise MappingError(f"The file {path.name} cannot be opened: {error.strerror}.") from None
