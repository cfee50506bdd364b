"""A partner's file, left in a drop folder, reaches the counts of the whole house."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from schemas.tables.events import event_version
from schemas.vocabulary import Jurisdiction
from tocsin.clocks import VirtualClock
from tocsin.demo import demo_settings
from tocsin.engine import VirtualEngine
from tocsin.settings import DropFolderSettings
from tocsin.wiring import build

MAPPING = """
name = "ambulance"
feed = "ambulance-naloxone"
jurisdiction = "kent-and-medway"
event_id = { column = "call" }
[source]
organisation = "secamb"
[occurred_at]
columns = ["when"]
formats = ["%Y-%m-%d %H:%M"]
[areas.event]
by = "code"
columns = ["area"]
"""


@pytest.mark.parametrize("backfill", [False, True])
def test_a_file_left_in_a_drop_folder_is_counted(tmp_path: Path, backfill: bool) -> None:
    mapping = tmp_path / "ambulance.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    folder = DropFolderSettings(
        path=tmp_path / "drop",
        mapping=mapping,
        jurisdiction=Jurisdiction("kent-and-medway"),
        backfill=backfill,
    )
    settings = demo_settings(tmp_path / "data", 0).model_copy(
        update={"drop_folders": (folder,), "database_url": SecretStr(f"sqlite:///{tmp_path}/tocsin.sqlite")}
    )
    clock = VirtualClock(datetime(2018, 1, 22, 12, tzinfo=UTC))
    house = build(settings, clock, owner="test", durable=False)
    engine = VirtualEngine(clock, house.log, house.intake.handle, house.jobs)
    (tmp_path / "drop" / "calls.csv").write_text(
        "call,when,area\nA1,2018-01-21 10:00,E07000114\nA2,2018-01-21 11:00,E07000106\n", encoding="utf-8"
    )
    engine.advance_to(clock.now() + timedelta(minutes=1))
    with house.database.read() as connection:
        rows = connection.execute(select(event_version).order_by(event_version.c.id)).all()
    assert [(row.body["event_id"], row.detection_area) for row in rows] == [
        ("A1", "E07000114"),
        ("A2", "E07000106"),
    ]
    assert {row.delivery for row in rows} == {"backfill" if backfill else "live"}
    assert not list((tmp_path / "drop").glob("*.csv"))
    house.close()
