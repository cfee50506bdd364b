"""Starts the service many times without importing its libraries each time: for the crash tests.

A small process imports what ``tocsin run`` will need, and nothing more: no settings, no database, no thread. For each
start it forks, and the child runs the very command line. What is killed is a process of its own like any other; only the
seconds of importing numerics, which nothing can be lost in, are spent once.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO


class WarmStart:
    """The parent process, as a test talks to it; one service at a time."""

    def __init__(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.upper().startswith("TOCSIN")
        }
        self._parent = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        )
        self._child: int | None = None
        self._ended: int | None = None
        assert self._answer() == "ready"

    def start(self, arguments: list[str], log_file: Path) -> None:
        """Fork a process that runs ``tocsin`` with these arguments and writes to ``log_file``."""
        self._tell("\t".join(["start", str(log_file), *arguments]))
        self._child, self._ended = int(self._answer()), None

    def poll(self) -> int | None:
        """The status with which it ended; nothing while it runs."""
        if self._ended is None:
            self._tell("poll")
            answer = self._answer()
            self._ended = None if answer == "running" else int(answer)
        return self._ended

    def end(self, how: signal.Signals) -> int:
        """Send it a signal, wait until it is gone, and return the status with which it ended."""
        assert self._child is not None
        os.kill(self._child, how)
        self._tell("wait")
        self._ended = int(self._answer())
        return self._ended

    def close(self) -> None:
        """End the parent, and the child if there still is one."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()

    def _tell(self, line: str) -> None:
        assert self._parent.stdin is not None
        print(line, file=self._parent.stdin, flush=True)

    def _answer(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()


def _main(commands: IO[str]) -> None:
    import tocsin.cli.config_check
    import tocsin.cli.service
    import tocsin.service  # noqa: F401 (what `tocsin run` imports when it is typed)

    _say("ready")
    child = 0
    for line in commands:
        command, *rest = line.rstrip("\n").split("\t")
        if command == "start":
            child = os.fork()
            if child == 0:
                _become_the_service(Path(rest[0]), rest[1:])
            _say(str(child))
        else:
            found, status = os.waitpid(child, os.WNOHANG if command == "poll" else 0)
            _say(str(os.waitstatus_to_exitcode(status)) if found else "running")
            child = 0 if found else child
    if child:  # the test went away
        os.kill(child, signal.SIGKILL)


def _become_the_service(log_file: Path, arguments: list[str]) -> None:
    from tocsin.cli import main

    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    main(arguments, prog_name="tocsin")  # ends the process, as it does in a shell


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the test reads it)


if __name__ == "__main__":
    _main(sys.stdin)
