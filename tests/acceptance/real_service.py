"""The real service as acceptance tests meet it: a process of its own, real HTTP, a real SMTP server to mail to.

``conftest.py`` makes these. Everything is seen from outside, as a partner, an officer or an operator would, except that
:meth:`Service.database` opens the file beside the running service, as the command line does.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import func, select

from alerts.people import Person, Shift, add_shift, grant, save_person
from schemas import migrations
from schemas.authorise import Authentication, Principal, Role
from schemas.tables.detection import jurisdiction_state
from schemas.tables.incidents import incident_escalation
from schemas.tables.log import event_log
from schemas.tables.outbox import delivery, outbox
from schemas.vocabulary import Feed, Jurisdiction
from streams import jurisdictions
from streams.log.embedded import EmbeddedLog
from tests.acceptance.warm_start import WarmStart
from tocsin.database import SqlDatabase
from tocsin.settings import Settings, read_settings
from tocsin.web.api_keys import create_api_key

KENT = Jurisdiction("kent-and-medway")
OFFICER = Person("asha-patel", "Asha Patel", "asha.patel@example.org")
SECOND = Person("ben-hall", "Ben Hall", "ben.hall@example.org")
COORDINATOR = Person("tom-hughes", "Tom Hughes", "tom.hughes@example.org")
FALLBACK = Person("robin-okoro", "Robin Okoro", "robin.okoro@example.org")

TOCSIN = (sys.executable, "-c", "from tocsin.cli import main; main()")
"""The command line, as the installed script calls it."""

PATIENCE_SECONDS = 180
"""After so long without what a test waits for, it is not slow but broken. Nothing here measures a time."""

_SETTINGS = """\
database_url = "sqlite:///tocsin.sqlite"

[jurisdictions.kent-and-medway]
name = "Kent and Medway"

[alerts]
# No quiet hours: what this service does must not depend on when its tests run.
quiet_from = 00:00:00
quiet_until = 00:00:00

[alerts.fallback]
person = "robin-okoro"
name = "Robin Okoro"
email = "robin.okoro@example.org"

[alerts.links]
base_url = "http://127.0.0.1:{port}"
secret = "known to this test and to nobody else"

# A process that was killed still holds its claims: they run out as quickly as the settings allow.
[alerts.sender]
lease_seconds = 5
first_retry_seconds = 1

[alerts.channels.console_log]
enabled = false

[alerts.channels.email]
host = "127.0.0.1"
port = {smtp_port}
security = "none"
sender = "tocsin@example.org"

[web]
host = "127.0.0.1"
port = {port}

[detection]
debounce_seconds = 0.5
lease_seconds = 10

[log]
json_lines = true
"""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def pause(seconds: float) -> None:
    """Wait, without asserting anything about time."""
    threading.Event().wait(seconds)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that must happen, however slow the machine is."""
    for _ in range(PATIENCE_SECONDS * 20):
        if holds():
            return
        pause(0.05)
    raise AssertionError(f"it never happened: {what}")


@dataclass
class Mail:
    """A mail server's handler: keeps every e-mail, in the order in which it came."""

    port: int = 0
    _kept: list[tuple[str, EmailMessage]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (the server's own name for it)
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        with self._lock:
            self._kept += [(address, parsed) for address in envelope.rcpt_tos]
        return "250 OK"

    def to(self, person: Person) -> list[EmailMessage]:
        """What somebody was mailed."""
        with self._lock:
            return [mail for address, mail in self._kept if address == person.email]

    def wait_for(self, person: Person, path: str, number: int = 1) -> EmailMessage:
        """The ``number``-th e-mail to somebody that carries a link to ``path``, once it has come."""

        def matching() -> list[EmailMessage]:
            return [mail for mail in self.to(person) if f"{path}/" in text_of(mail)]

        wait_until(lambda: len(matching()) >= number, f"e-mail number {number} to {person.id} with {path}")
        return matching()[number - 1]

    def deliveries(self) -> set[str]:
        """The delivery ids that arrived; sign-in links have none."""
        with self._lock:
            return {mail["X-Tocsin-Delivery"] for _, mail in self._kept if mail["X-Tocsin-Delivery"]}


def text_of(mail: EmailMessage) -> str:
    """The plain words of an e-mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage, path: str) -> str:
    """The address in an e-mail whose path begins with ``path``."""
    found = re.search(rf"http://127\.0\.0\.1:\d+{re.escape(path)}/\S+", text_of(mail))
    assert found, text_of(mail)
    return found[0]


class Service:
    """One folder with settings and a database, and the process that serves it."""

    def __init__(self, folder: Path, mail: Mail) -> None:
        self.folder = folder
        self.mail = mail
        self.log_file = folder / "log.txt"
        self.config = folder / "tocsin.toml"
        self.identifying: set[str] = set()
        """Values that this test sent or used and that no log line may hold."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.config.write_text(_SETTINGS.format(port=port, smtp_port=mail.port), encoding="utf-8")
        self.settings: Settings = read_settings(self.config)
        self.keys: Mapping[Feed, str] = self._prepare()
        self.api_key = self.keys[Feed.AMBULANCE_NALOXONE]
        self._process: subprocess.Popen[bytes] | None = None
        self._warm: WarmStart | None = None

    def _prepare(self) -> Mapping[Feed, str]:
        now = datetime.now(UTC)
        setting_up = Principal(person="shell", authenticated_by=Authentication.SHELL, roles={})
        database = self.database()
        with database.write() as connection:
            migrations.upgrade(connection)
        with database.write() as connection:
            jurisdictions.ensure(connection, [KENT])
            for person, role in (
                (OFFICER, Role.ON_CALL),
                (SECOND, Role.ON_CALL),
                (COORDINATOR, Role.COORDINATOR),
            ):
                save_person(connection, person, now)
                grant(connection, KENT, person.id, role, by=setting_up, now=now)
            shift = Shift(KENT, OFFICER.id, now - timedelta(hours=1), now + timedelta(days=7))
            add_shift(connection, shift, by=setting_up, now=now)
            keys = {
                feed: create_api_key(
                    connection,
                    jurisdiction=KENT,
                    feed=feed,
                    organisation=None,
                    may_backfill=False,
                    by="shell",
                    now=now,
                )[1]
                for feed in Feed
            }
        database.close()
        return keys

    def start(self, warm: WarmStart | None = None) -> None:
        """Start the service; with ``warm``, as a fork of a process that has only imported it."""
        arguments = ["--config", str(self.config), "run"]
        self._warm = warm
        if warm is not None:
            warm.start(arguments, self.log_file)
            return
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*TOCSIN, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                cwd=self.folder,
            )

    def wait_until_ready(self) -> None:
        """Wait until it says that requests may come."""
        for _ in range(PATIENCE_SECONDS * 20):
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert self._status() is None, f"the service ended by itself with status {self._status()}"
            pause(0.05)
        raise AssertionError("the service was never ready")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._status() is None, f"the service had ended by itself, with status {self._status()}"
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop, which it must do properly."""
        assert self._end(signal.SIGTERM) == 0

    def clean_up(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self._is_started() and self._status() is None:
            self._end(signal.SIGKILL)

    def cli(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Type a command on the host, beside the service, and wait for its answer."""
        process = self.begin_cli(*arguments)
        said, complained = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

    def begin_cli(self, *arguments: object) -> "subprocess.Popen[str]":
        """Type a command that takes a while."""
        return subprocess.Popen(
            [*TOCSIN, "--config", str(self.config), *(str(one) for one in arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=self.folder,
        )

    def send(
        self, content: bytes | str, feed: str = Feed.AMBULANCE_NALOXONE, **headers: str
    ) -> httpx.Response:
        """Post records of a feed with its key, as NDJSON unless a header says otherwise."""
        key = self.keys.get(Feed(feed), self.api_key) if feed in set(Feed) else self.api_key
        made = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"} | headers
        return httpx.post(
            f"{self.url}/api/v1/feeds/{feed}/events", content=content, headers=made, timeout=120
        )

    def database(self) -> SqlDatabase:
        """Open the service's database beside it."""
        return SqlDatabase(self.settings.database_url.get_secret_value())

    def event_log_length(self, database: SqlDatabase) -> int:
        """How many records the event log has taken and not yet forgotten."""
        with database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(event_log)).scalar_one())

    def wait_until_taken_in(self) -> None:
        """Wait until intake has dealt with everything that was accepted."""
        database = self.database()
        wait_until(lambda: EmbeddedLog(database).backlog() == 0, "the event log was read to its end")
        database.close()

    def wait_until_settled(self) -> None:
        """Wait until everything that was accepted has been taken in, looked at, and told to whom it concerns."""
        database = self.database()
        waiting = ""
        try:
            for _ in range(PATIENCE_SECONDS * 10):
                if not (waiting := _unsettled(database)):
                    return
                pause(0.1)
        finally:
            database.close()
        raise AssertionError(f"the service never settled: {waiting}")

    def mailed_outbox(self) -> set[str]:
        """The ids of the outbox rows whose e-mail arrived, by the delivery id that it carried."""
        return self._of_deliveries(delivery.c.outbox_id)

    def mailed_incidents(self) -> set[str]:
        """The incidents about which an e-mail arrived."""
        return self._of_deliveries(outbox.c.incident_id)

    def _of_deliveries(self, column: object) -> set[str]:
        arrived = self.mail.deliveries()
        database = self.database()
        statement = select(delivery.c.id, column).join(outbox, outbox.c.id == delivery.c.outbox_id)  # type: ignore[call-overload]
        with database.read() as connection:
            known = {row[0]: row[1] for row in connection.execute(statement)}
        database.close()
        assert arrived <= known.keys(), "an e-mail arrived that the outbox knows nothing of"
        return {known[one] for one in arrived}

    def log_text(self) -> str:
        """Everything that the service wrote so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def stored_bytes(self) -> bytes:
        """Every byte that the service keeps: the database file, its write-ahead log, and whatever else is there."""
        own = {self.config, self.log_file}
        return b"".join(
            path.read_bytes() for path in sorted(self.folder.glob("tocsin.sqlite*")) if path not in own
        )

    def _is_started(self) -> bool:
        return self._process is not None or self._warm is not None

    def _status(self) -> int | None:
        if self._warm is not None:
            return self._warm.poll()
        assert self._process is not None
        return self._process.poll()

    def _end(self, how: signal.Signals) -> int:
        if self._warm is not None:
            return self._warm.end(how)
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(PATIENCE_SECONDS)


def _unsettled(database: SqlDatabase) -> str:
    """Say what is still to be done; nothing, if nothing is."""
    now = datetime.now(UTC)
    if backlog := EmbeddedLog(database).backlog():
        return f"{backlog} records wait in the event log"
    with database.read() as connection:
        state = jurisdiction_state.c
        dirty = connection.execute(
            select(func.count()).where(state.dirty_revision != state.clean_revision)
        ).scalar_one()
        timers = connection.execute(
            select(func.count()).where(incident_escalation.c.next_at <= now)
        ).scalar_one()
        owed = connection.execute(
            select(func.count()).where(
                (outbox.c.state == "claimed") | ((outbox.c.state == "pending") & (outbox.c.due_at <= now))
            )
        ).scalar_one()
    named = {"jurisdictions to look at": dirty, "escalation steps": timers, "messages": owed}
    return ", ".join(f"{number} {name}" for name, number in named.items() if number)


def environment() -> dict[str, str]:
    """The environment of the tests without any setting of Tocsin's own."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("TOCSIN")}
