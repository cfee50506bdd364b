"""Which log positions are applied: how a redelivery after a crash is known from a sender's own repeat."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from schemas.tables.log import log_applied
from streams.log.port import Positioned
from streams.upsert import upsert

Applied = Mapping[tuple[str, int], int]
"""(topic, partition) to the highest offset whose effects are committed."""


def applied_positions(connection: Connection, batch: Sequence[Positioned]) -> Applied:
    """Return what is applied of the partitions that ``batch`` comes from."""
    partitions = {(item.position.topic, item.position.partition) for item in batch}
    rows = connection.execute(
        select(log_applied.c.topic, log_applied.c.partition, log_applied.c.position).where(
            or_(
                *(
                    and_(log_applied.c.topic == topic, log_applied.c.partition == number)
                    for topic, number in partitions
                )
            )
        )
    )
    return {(topic, number): position for topic, number, position in rows}


def note_applied(
    connection: Connection, batch: Sequence[Positioned], applied: Applied, now: datetime
) -> None:
    """Raise the applied positions to the last of ``batch``; never lower them."""
    last = dict(applied)
    for item in batch:
        key = (item.position.topic, item.position.partition)
        last[key] = max(last.get(key, -1), item.position.offset)
    rows = [
        {"topic": topic, "partition": number, "position": offset, "applied_at": now}
        for (topic, number), offset in sorted(last.items())
        if offset > applied.get((topic, number), -1)
    ]
    upsert(connection, log_applied, rows, keep_greatest=("position", "applied_at"))
