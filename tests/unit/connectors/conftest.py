"""A small made-up coast: three towns with positions, one of them with a ten-digit code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.geography import Geography, load_geography
from schemas.substances import default_taxonomy
from streams.connectors.csv_files import MappedFile, MappedRow, read_events
from streams.connectors.mapping import mapping_from

DEATHS: dict[str, Any] = {
    "name": "coast-deaths",
    "feed": "suspected-deaths",
    "jurisdiction": "coast",
    "source": {"organisation": "coroner"},
    "event_id": {"column": "Ref"},
    "occurred_at": {"columns": ["Date"], "formats": ["%d/%m/%Y"]},
}


@pytest.fixture(scope="session")
def coast(tmp_path_factory: pytest.TempPathFactory) -> Geography:
    """Margate, Broadstairs and Ramsgate in Thanet."""
    table = tmp_path_factory.mktemp("coast") / "areas.csv"
    table.write_text(
        "code,name,parent,population,latitude,longitude\n"
        "0901337910,Margate,Thanet,60000,51.389,1.387\n"
        "T-BRO,Broadstairs,Thanet,25000,51.359,1.440\n"
        "T-RAM,Ramsgate,Thanet,40000,51.335,1.416\n",
        encoding="utf-8",
    )
    return load_geography(table, name="Coast")


Read = Callable[..., MappedFile]


@pytest.fixture
def opened(tmp_path: Path, coast: Geography) -> Read:
    """Open the text of a CSV file by a mapping: the one above, changed by keywords."""

    def open_text(text: str | bytes, **changes: object) -> MappedFile:
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        mapping = mapping_from(DEATHS | changes, folder=tmp_path)
        return read_events(path, mapping, coast, default_taxonomy())

    return open_text


@pytest.fixture
def read(opened: Read) -> Callable[..., list[MappedRow]]:
    """Read the text of a CSV file by a mapping to its end."""
    return lambda text, **changes: list(opened(text, **changes))
