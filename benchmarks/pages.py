"""The console's pages on the demo's database: how long the server takes for each, and how heavy it is.

``tocsin demo`` plays its story and serves it; the visitor signs in by the printed link and opens each page again and
again, over HTTP on the same machine, with the pictures and the style sheet that the page names.
"""

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.results import Figure, percentile
from benchmarks.service import TOCSIN, free_port

_LINK = re.compile(r"http://\S+/sign-in/\S+")
_INCIDENT = re.compile(r"/incidents/[A-Z0-9]+-\d{4}-\d{4,6}")
_NAMED = re.compile(r"(?:src|href)=\"(/[^\"]+\.(?:css|svg|png)(?:\?[^\"]*)?)\"")
_STORY_SECONDS = 600.0


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Open each page so many times (50)."""
    with _demo(seed) as client:
        listed = client.get("/incidents").raise_for_status()
        incident = _INCIDENT.search(listed.text)
        # What the on-call person, whom the link signs in, may open.
        addresses = ["/incidents", *([incident[0]] if incident else []), "/feeds"]
        figures = [_figure(client, address, runs or 50) for address in addresses]
    return (
        figures,
        "The server's answer over HTTP on one machine; weight is that of what is sent, uncompressed.",
    )


def _figure(client: httpx.Client, address: str, runs: int) -> Figure:
    page = client.get(address)
    what = re.sub(_INCIDENT, "/incidents/ONE", address)
    if page.status_code != 200:
        return Figure(what, f"answered {page.status_code}", "200", met=False)
    milliseconds = [_timed(client, address) for _ in range(runs)]
    parts = sorted(set(_NAMED.findall(page.text)))
    weights = [len(client.get(part).content) for part in parts]
    slowest = max((_timed(client, part) for part in parts), default=0.0)
    times = f"p50 {median(milliseconds):.0f} ms, p99 {percentile(milliseconds, 0.99):.0f} ms"
    weight = f"{len(page.content) / 1024:.0f} KiB, and {sum(weights) / 1024:.0f} KiB in {len(parts)} parts"
    return Figure(what, f"{times}; {weight}, the slowest {slowest:.0f} ms")


def _timed(client: httpx.Client, address: str) -> float:
    began = time.perf_counter()
    client.get(address).raise_for_status()
    return (time.perf_counter() - began) * 1000


@contextmanager
def _demo(seed: int) -> Iterator[httpx.Client]:
    """Run the demo and sign in."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        output = Path(folder) / "demo.log"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [str(TOCSIN), "demo", "--seed", str(seed), "--port", str(port), "--directory", folder],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={"COLUMNS": "1000", "PATH": str(TOCSIN.parent)},
            )
        try:
            link = _wait_for_link(process, output)
            with httpx.Client(base_url=f"http://localhost:{port}", timeout=60) as client:
                _wait_until_served(client)
                client.post(httpx.URL(link).raw_path.decode(), follow_redirects=True).raise_for_status()
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait_for_link(process: subprocess.Popen[bytes], output: Path) -> str:
    until = time.perf_counter() + _STORY_SECONDS
    while time.perf_counter() < until and process.poll() is None:
        found = _LINK.search(output.read_text(encoding="utf-8"))
        if found:
            return found[0]
        time.sleep(0.5)
    raise RuntimeError(f"The demo did not come to its end:\n{output.read_text(encoding='utf-8')[-1000:]}")


def _wait_until_served(client: httpx.Client) -> None:
    until = time.perf_counter() + 60
    while time.perf_counter() < until:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError("The console was not served.")
