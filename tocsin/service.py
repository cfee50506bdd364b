"""``tocsin run``: the whole service in one process, on the real clock.

The event log's loop and each job run in threads of their own, the web server in the main one. If any thread ends by an
exception, the web server stops and the process exits with status 1: whoever supervises it (systemd, Docker, Kubernetes)
starts it again, and everything it owed is still in the database.
"""

import fcntl
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
import uvicorn
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from schemas import migrations
from tocsin.clocks import SystemClock
from tocsin.database import SqlDatabase
from tocsin.database_gauges import DatabaseGauges
from tocsin.engine import RealEngine
from tocsin.logging import configure_logging
from tocsin.settings import Settings
from tocsin.sign_in_mail import mail_sign_in_links
from tocsin.web.app import create_app
from tocsin.web.services import WebServices
from tocsin.wiring import House, build

log = structlog.get_logger(__name__)


class AlreadyRunningError(RuntimeError):
    """Another service process has this SQLite file open: two would read the same log."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"Another Tocsin service runs on {path}; stop it first, or use another database.")


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit status."""
    configure_logging(settings.log.level, json=settings.log.json_lines)
    with only_service_on(settings):
        house = build(settings, SystemClock(), owner=f"{socket.gethostname()}-{os.getpid()}")
        try:
            return serve(house)
        finally:
            house.close()


def serve(house: House) -> int:
    """Run the jobs and the web server of a house until a signal, or a failing thread, ends them."""
    settings = house.settings
    server: uvicorn.Server | None = None

    def on_failure() -> None:
        if server is not None:
            server.should_exit = True

    engine = RealEngine(house.clock, house.log, house.intake.handle, house.jobs, on_failure=on_failure)
    gauges = DatabaseGauges(house.database, house.clock, sorted(house.profiles), house.log.backlog)
    house.metrics.registry.register(gauges)
    app = create_app(web_services(house, engine))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.web.host,
            port=settings.web.port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=10,
        )
    )
    engine.start()
    try:
        with _told_by_signals(server):
            server.run()
    finally:
        engine.stop()
    if engine.failed:
        log.error("service.stopped_by_failure")
        return 1
    return 0 if server.started else 1


@contextmanager
def _told_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Take SIGTERM and Ctrl-C as the usual way to end.

    The web server raises the signal that ended it once more when it is done. Left to the system, that would end the
    process on the spot, with jobs in the middle of their work and a status that says failure.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def web_services(house: House, engine: RealEngine) -> WebServices:
    """Return what the web application needs of a house."""
    settings = house.settings
    secure = settings.web.cookie_secure
    if secure is None:
        secure = settings.alerts.links.base_url.startswith("https://")
    return WebServices(
        database=house.database,
        clock=house.clock,
        event_log=house.log,
        profiles=house.profiles,
        desk=house.desk,
        metrics=house.metrics,
        readiness=lambda: readiness(house.database, engine),
        send_sign_in_link=mail_sign_in_links(settings.alerts.channels.email, house.clock),
        cookie_secure=secure,
        metrics_token=settings.web.metrics_token,
        wake_sender=engine.wake,
    )


def readiness(database: SqlDatabase, engine: RealEngine) -> Mapping[str, bool]:
    """Say what holds of what must hold before requests should come."""
    try:
        with database.read() as connection:
            connection.execute(text("SELECT 1"))
            at_head = migrations.is_at_head(connection)
        answers = True
    except SQLAlchemyError:
        answers = at_head = False
    return {"database": answers, "tables": at_head, "threads": engine.is_alive}


@contextmanager
def only_service_on(settings: Settings) -> Iterator[None]:
    """Hold the lock file of an SQLite database while the block runs; PostgreSQL needs none.

    Raises
    ------
    AlreadyRunningError
        If another process holds it.
    """
    url = settings.database_url.get_secret_value()
    if not url.startswith("sqlite:///"):
        yield
        return
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(path) from None
        yield
