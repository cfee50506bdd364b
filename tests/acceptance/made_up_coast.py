"""A made-up coast with six towns, and two years of made-up naloxone calls: what the replay tests play.

Two things happen there: in the second spring ten people collapse in one town within three days, and in the autumn four at
one address within the hour. Everything else is chance, drawn from a seed.
"""

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

TOWNS = ("Eastgate", "Lowmouth", "Sandholme", "Westquay", "Thornby", "Marram")
FIRST_DAY = date(2015, 1, 5)
DAYS = 728
BEGIN = FIRST_DAY + timedelta(days=371)
SPRING = date(2016, 4, 12)
AUTUMN = date(2016, 10, 3)

MAPPING = """\
name = "coast-calls"
feed = "ambulance-naloxone"
jurisdiction = "made-up-coast"
[source]
organisation = "coast-ambulance"
[event_id]
column = "Ref"
[occurred_at]
columns = ["When"]
formats = ["%Y-%m-%d %H:%M"]
[areas.event]
by = "name"
columns = ["Town"]
[fields]
scene = { column = "Scene" }
[delay]
column = "Known"
formats = ["%Y-%m-%d %H:%M"]
"""


@dataclass(frozen=True)
class Row:
    """One call, as the partner's table has it."""

    ref: str
    when: datetime
    town: str
    known: datetime
    scene: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row of the file."""
        return (
            self.ref,
            f"{self.when:%Y-%m-%d %H:%M}",
            self.town,
            f"{self.known:%Y-%m-%d %H:%M}",
            self.scene,
        )


def calls(seed: int = 1) -> list[Row]:
    """Return every call, in the order in which they happened."""
    chance = random.Random(seed)
    rows: list[Row] = []

    def call(day: date, town: str, hour: float, scene: str = "") -> None:
        when = datetime.combine(day, time()) + timedelta(hours=hour)
        # Known the next morning, as a file sent each night is; now and then some days later.
        late = chance.choice((1, 1, 1, 1, 1, 2, 2, 5))
        known = datetime.combine(day + timedelta(days=late), time(5, 30))
        rows.append(Row(f"C{len(rows):05d}", when, town, known, scene))

    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        for town in TOWNS:
            if chance.random() < 0.12:
                call(day, town, chance.uniform(0, 24))
        if SPRING <= day < SPRING + timedelta(days=3):
            for _ in range(4):
                call(day, "Sandholme", chance.uniform(8, 23))
        if day == AUTUMN:
            for n in range(4):
                call(day, "Westquay", 20 + n / 4, "keyed-hash-of-an-address")
    return sorted(rows, key=lambda row: row.when)


def write_place(folder: Path) -> tuple[Path, Path]:
    """Write the geography and the mapping; return where."""
    geography, mapping = folder / "areas.csv", folder / "coast.toml"
    with geography.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("code", "name", "parent", "population", "latitude", "longitude"))
        for number, town in enumerate(TOWNS):
            writer.writerow((f"T{number}", town, "", 30_000 + 5_000 * number, 51.0 + number / 10, 1.0))
    mapping.write_text(MAPPING, encoding="utf-8")
    return geography, mapping


def write_calls(path: Path, rows: Iterable[Row]) -> Path:
    """Write rows as the partner's file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Ref", "When", "Town", "Known", "Scene"))
        writer.writerows(row.cells() for row in rows)
    return path


def late_cluster(known: datetime) -> Sequence[Row]:
    """Nine calls of one town that happened in early summer and became known only at ``known``."""
    return [
        Row(f"L{n}", datetime(2016, 6, 6 + n % 3, 10, n), "Thornby", known)  # noqa: DTZ001 (a table's local time)
        for n in range(9)
    ]
