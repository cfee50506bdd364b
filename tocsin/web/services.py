"""What the web is given: every part of the house that a request may need, and nothing global.

The composition root makes one :class:`WebServices` and hands it to ``tocsin.web.app.create_app``; routes receive it by
the :data:`Services` dependency. Nothing here opens a connection or reads the time by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import SecretStr

from alerts.desk import Desk
from alerts.people import Person
from alerts.settings import LinkSettings
from schemas.clock import Clock
from schemas.database import Database
from schemas.vocabulary import Jurisdiction
from streams.log.port import EventLog
from streams.profile import JurisdictionProfile
from tocsin.metrics import Metrics


def _nothing() -> None:
    """Wake nobody: where no sender runs beside the web, messages wait for the next engine."""


@dataclass(frozen=True)
class WebServices:
    """The parts that requests use."""

    database: Database
    clock: Clock
    event_log: EventLog
    profiles: Mapping[Jurisdiction, JurisdictionProfile]
    desk: Desk
    metrics: Metrics
    readiness: Callable[[], Mapping[str, bool]]
    """What must hold before requests should come, by name: the database answers, its tables are at the newest
    migration, the log's reader is alive."""
    send_sign_in_link: Callable[[Person, str, datetime], None]
    """Mails a person their sign-in link, which works until the given moment. Called in a thread of its own after the
    visitor was answered, outside any transaction; the link is never stored."""
    cookie_secure: bool = True
    """Off only where people reach the console by ``http://localhost``."""
    metrics_token: SecretStr | None = None
    """Lets a client that is not on this host read ``/metrics``."""
    session_idle: timedelta = timedelta(hours=12)
    """A session ends when it was not used for so long ..."""
    session_longest: timedelta = timedelta(days=7)
    """... and after so long in any case."""
    wake_sender: Callable[[], None] = _nothing
    """Told after a commit that owes somebody a message."""

    @property
    def links(self) -> LinkSettings:
        """Where people reach the console, and how links are signed."""
        return self.desk.settings.links

    @property
    def secret(self) -> str:
        """Signs links and form tokens. Changing it ends outstanding links, but no sessions."""
        return self.links.secret.get_secret_value()


def services_of(request: Request) -> WebServices:
    """Return what the application was made with."""
    return cast(WebServices, request.app.state.services)


Services = Annotated[WebServices, Depends(services_of)]
