"""Labelled outbreaks: what a backtest is scored against, read from a CSV that a person wrote.

Columns: ``name``, ``start``, ``end`` (days, both included), ``areas`` (codes or names separated by semicolons; empty for
the whole jurisdiction) and optionally ``class`` (a substance class; empty for any).
"""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from schemas.geography import AreaCode, Geography
from schemas.overlap import areas_overlap, classes_overlap, days_overlap
from schemas.substances import SubstanceClass

NEEDED = ("name", "start", "end", "areas")


class LabelsError(ValueError):
    """A file of labels cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Label:
    """One outbreak that is known to have been real."""

    name: str
    start: date
    end: date
    areas: tuple[AreaCode, ...]
    """Detection areas, sorted, or the root alone for the whole jurisdiction."""
    substance_class: SubstanceClass

    def is_about(
        self, areas: tuple[AreaCode, ...], days: tuple[date, date], name: SubstanceClass, root: AreaCode
    ) -> bool:
        """Whether a finding shares a place, a class and a day with it."""
        return (
            days_overlap((self.start, self.end), days, gap=0)
            and classes_overlap(self.substance_class, name)
            and areas_overlap(self.areas, areas, root)
        )


def read_labels(path: Path, geography: Geography) -> list[Label]:
    """Read the labels of a file, sorted by their start.

    Raises
    ------
    LabelsError
        If the file cannot be read, or a row of it does not say what it must.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise LabelsError(
                    f"{path.name} has no column {missing[0]!r}; labels need {', '.join(NEEDED)}, and may have class."
                )
            labels = [_label(f"{path.name}, line {reader.line_num}", row, geography) for row in reader]
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path.name} is not a CSV file in UTF-8.") from error
    names = [label.name for label in labels]
    if twice := {name for name in names if names.count(name) > 1}:
        raise LabelsError(f"{path.name} has two labels called {min(twice)!r}; give each a name of its own.")
    return sorted(labels, key=lambda label: (label.start, label.name))


def _label(place: str, row: dict[str, str | None], geography: Geography) -> Label:
    # A row with more cells than the first keeps the rest in a list, under no name.
    cells = {name: value.strip() for name, value in row.items() if isinstance(value, str)}
    if not cells.get("name"):
        raise LabelsError(f"{place}: the label has no name.")
    days = []
    for column in ("start", "end"):
        try:
            days.append(date.fromisoformat(cells.get(column, "")))
        except ValueError:
            raise LabelsError(f"{place}: {column} must be a day such as 2016-06-23.") from None
    if days[1] < days[0]:
        raise LabelsError(f"{place}: end is before start.")
    try:
        name = SubstanceClass(cells.get("class") or SubstanceClass.ANY.value)
    except ValueError:
        known = ", ".join(one.value for one in SubstanceClass)
        raise LabelsError(f"{place}: class must be empty or one of {known}.") from None
    return Label(cells["name"], days[0], days[1], _areas(place, cells.get("areas", ""), geography), name)


def _areas(place: str, text: str, geography: Geography) -> tuple[AreaCode, ...]:
    """Return the detection areas of codes or names; a wider area stands for those in it."""
    found: set[AreaCode] = set()
    for word in filter(None, (one.strip() for one in text.split(";"))):
        area = geography.get(word)
        code = area.code if area is not None else geography.by_name(word)
        if code is None:
            raise LabelsError(
                f"{place}: {word!r} is neither the code nor the name of an area of {geography.name}."
            )
        tested = geography.detection_area_of(code)
        if tested is not None:
            found.add(tested)
        else:
            found |= {one for one in geography.detection_areas() if code in geography.ancestors(one)}
    if not found or found == set(geography.detection_areas()):
        return (geography.root,)
    return tuple(sorted(found))
