"""The real service, as an operator runs it: settings in a file, ``tocsin run`` in a process of its own, e-mail by SMTP.

Benchmarks start it, send it records and wait for what it does. People, keys and history are put into its database before
it starts, as the command line would.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from importlib.resources import files
from pathlib import Path

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from alerts.people import Person, Shift, add_shift, grant, save_person
from benchmarks.machine import processor_seconds
from schemas.authorise import SYSTEM, Role
from schemas.vocabulary import Feed, Jurisdiction
from tocsin.clocks import SystemClock, VirtualClock
from tocsin.settings import Settings, read_settings
from tocsin.web.api_keys import create_api_key
from tocsin.wiring import House, build

KENT = Jurisdiction("kent-and-medway")
TOCSIN = Path(sys.executable).with_name("tocsin")
_START_SECONDS = 120.0


@dataclass
class Mail:
    """An SMTP server that stamps each message as it is handed over."""

    arrivals: list[tuple[float, str, str]] = field(default_factory=list)
    """(moment of ``time.perf_counter``, recipient, subject)"""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 (the server's own name for it)
        """Take a message."""
        at = time.perf_counter()
        content = envelope.content
        subject = str(message_from_bytes(content)["Subject"]) if isinstance(content, bytes) else ""
        self.arrivals.extend((at, recipient, subject) for recipient in envelope.rcpt_tos)
        return "250 OK"

    def page_after(self, moment: float, recipient: str, *, within: float) -> float | None:
        """Wait for the first page to somebody after a moment; return when it was handed over, or nothing."""
        until = time.perf_counter() + within
        while time.perf_counter() < until:
            for at, to, subject in list(self.arrivals):
                if at >= moment and to == recipient and subject.startswith("PAGE"):
                    return at
            time.sleep(0.002)
        return None


@contextmanager
def mail_server() -> Iterator[tuple[Mail, int]]:
    """Run an SMTP server on this machine while the block runs; give it and its port."""
    mail = Mail()
    controller = Controller(mail, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield mail, controller.port
    finally:
        controller.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def officer_of(place: Jurisdiction) -> Person:
    """Return who is on call in a jurisdiction."""
    return Person(f"officer-{place}", f"The officer of {place}", f"officer-{place}@example.org")


class Service:
    """One service on an SQLite database in a folder of its own.

    Parameters
    ----------
    folder : Path
        Empty; the database, settings and log are written here.
    places : sequence of Jurisdiction
        Each is given Kent and Medway's geography and shipped thresholds, and an officer on call.
    smtp_port : int, optional
        Where e-mail leaves; left out, messages are lines in the log.
    """

    def __init__(
        self, folder: Path, places: Sequence[Jurisdiction] = (KENT,), smtp_port: int | None = None
    ) -> None:
        self.folder = folder
        self.places = tuple(places)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_file = folder / "tocsin.sqlite"
        self.settings_file = folder / "tocsin.toml"
        self.keys: dict[tuple[Jurisdiction, Feed], str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.settings_file.write_text(self._settings(smtp_port), encoding="utf-8")
        self.settings: Settings = read_settings(self.settings_file)

    @contextmanager
    def house(self, clock: VirtualClock, *, durable: bool = True) -> Iterator[House]:
        """Open the service's parts in this process, while it does not run: to put history in."""
        house = build(self.settings, clock, owner="benchmark", durable=durable, people=lambda *_: ())
        try:
            yield house
        finally:
            house.close()

    def enter_people_and_keys(self) -> None:
        """Give each jurisdiction its officer, and a key of each feed."""
        now = SystemClock().now()
        with self.house(VirtualClock(now)) as house, house.database.write() as connection:
            for place in self.places:
                officer = officer_of(place)
                save_person(connection, officer, now)
                for role in (Role.ON_CALL, Role.COORDINATOR):
                    grant(connection, place, officer.id, role, by=SYSTEM, now=now)
                shift = Shift(place, officer.id, now - timedelta(hours=1), now + timedelta(days=2))
                add_shift(connection, shift, by=SYSTEM, now=now)
                for feed in Feed:
                    _, self.keys[place, feed] = create_api_key(
                        connection,
                        jurisdiction=place,
                        feed=feed,
                        organisation=None,
                        may_backfill=True,
                        by="shell",
                        now=now,
                    )

    def headers(self, feed: Feed, place: Jurisdiction = KENT) -> Mapping[str, str]:
        """Return the headers with which NDJSON of a feed is posted."""
        key = self.keys[place, feed]
        return {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}

    def address(self, feed: Feed) -> str:
        """Return where records of a feed are posted."""
        return f"{self.url}/api/v1/feeds/{feed.value}/events"

    @contextmanager
    def running(self) -> Iterator[int]:
        """Run the service while the block runs; give its process number."""
        log = self.folder / "service.log"
        with log.open("ab") as output:
            command = [str(TOCSIN), "--config", str(self.settings_file), "run"]
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            self._wait_until_ready(process, log)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        until = time.perf_counter() + _START_SECONDS
        while time.perf_counter() < until and process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"The service did not start:\n{log.read_text(encoding='utf-8')}")

    def _settings(self, smtp_port: int | None) -> str:
        # Quiet hours are put half a day away, so that a page found now rings now whenever the benchmark runs.
        hour = (SystemClock().now().astimezone(UTC).hour + 12) % 24
        shipped = files("tocsin") / "calibrations" / f"{KENT}.json"
        lines = [
            f'database_url = "sqlite:///{self.database_file}"',
            "[alerts]",
            f"quiet_from = {hour:02}:00:00",
            f"quiet_until = {hour:02}:01:00",
            "[alerts.fallback]",
            'person = "fallback"',
            'name = "The Fallback"',
            'email = "fallback@example.org"',
            "[alerts.links]",
            f'base_url = "{self.url}"',
            'secret = "known to this benchmark and to nobody else"',
            "[web]",
            f"port = {self.port}",
            "[log]",
            'level = "warning"',
            "[alerts.incident_prefixes]",
            *(f'{place} = "B{number}"' for number, place in enumerate(self.places)),
        ]
        if smtp_port is not None:
            lines += [
                "[alerts.channels.console_log]",
                "enabled = false",
                "[alerts.channels.email]",
                'host = "127.0.0.1"',
                f"port = {smtp_port}",
                'security = "none"',
                'sender = "tocsin@example.org"',
            ]
        for place in self.places:
            thresholds = self.folder / f"{place}.json"
            text = shipped.read_text(encoding="utf-8")
            thresholds.write_text(text.replace(f'"{KENT}"', f'"{place}"'), encoding="utf-8")
            lines += [f"[jurisdictions.{place}]", 'name = "Kent and Medway"', f'thresholds = "{thresholds}"']
        return "\n".join(lines) + "\n"


@contextmanager
def measured(process: int) -> Iterator[list[float]]:
    """Give a list that holds the process's processor time and the seconds gone by, once the block has ended."""
    result: list[float] = []
    began, used = time.perf_counter(), processor_seconds(process)
    yield result
    result += [processor_seconds(process) - used, time.perf_counter() - began]


def iso(moment: datetime) -> str:
    """Return a moment as a record states it."""
    return moment.isoformat(timespec="seconds")
