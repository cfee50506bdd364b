"""The people side's background work, put together: what the engine drives beside intake and detection."""

from collections.abc import Callable

from alerts.channels import Channel
from alerts.channels.console_log import ConsoleLog
from alerts.channels.email import Email
from alerts.desk import Desk
from alerts.escalation import EscalationJob
from alerts.sender import SendCounter, Sender
from schemas.clock import Clock
from schemas.database import Database


def channels_of(desk: Desk, write: Callable[[str], None]) -> dict[str, Channel]:
    """Return the channels that the settings name; ``write`` takes the console log's lines."""
    settings = desk.settings.channels
    channels: list[Channel] = []
    if settings.console_log.enabled:
        channels.append(ConsoleLog(write))
    if settings.email is not None:
        from alerts.charts import strip_png  # noqa: PLC0415 (the drawing library is heavy, and only e-mail needs it)

        channels.append(Email(settings.email, strip_png))
    return {channel.name: channel for channel in channels}


def people_jobs(
    database: Database,
    desk: Desk,
    clock: Clock,
    channels: dict[str, Channel],
    *,
    owner: str = "people",
    counter: SendCounter | None = None,
) -> tuple[EscalationJob, Sender]:
    """Return the jobs: escalation first, so that what it owes is sent in the same round."""
    return (
        EscalationJob(database, desk),
        Sender(database, channels, clock, desk=desk, owner=owner, counter=counter),
    )
