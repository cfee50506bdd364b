"""The service in a fresh folder, with a mail server beside it, people, a rota and a key for each feed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from tests.acceptance.real_service import Mail, Service, free_port
from tests.acceptance.warm_start import WarmStart


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """A service that was not started yet; what it wrote is printed at the end, for pytest to show if a test failed."""
    mail = Mail(port=free_port())
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port)
    controller.start()
    service = Service(folder, mail)
    try:
        yield service
    finally:
        service.clean_up()
        controller.stop()
        text = service.log_text()
        print(f"--- what the service wrote ({service.log_file}) ---\n{text[-20_000:]}")  # noqa: T201 (as said)
    shown = sorted(value for value in service.identifying if value in text)
    assert not shown, f"the service's log holds what was posted: {shown[:3]}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own."""
    with serving(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that all tests of a file share, started; at the end it must stop properly."""
    with serving(tmp_path_factory.mktemp("service")) as made:
        made.start()
        made.wait_until_ready()
        yield made
        made.stop()


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmStart]:
    """For tests that start the service again and again."""
    made = WarmStart()
    yield made
    made.close()
