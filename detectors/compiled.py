"""Compiled kernels: how the few loops that NumPy cannot do are turned into machine code, and who may run them.

For the modules of this package that hold such loops. A kernel is an ordinary function on arrays and numbers, so that a
test can call its Python (``kernel.py_func``) and compare. Compiled code is kept beside the source, or in
``NUMBA_CACHE_DIR`` where the source cannot be written; the first call on a new machine compiles. The cache notices an
edit of a kernel's own file only: after editing a kernel that others call, touch the files of those others as well.

Kernels marked :func:`parallel` use every core. Numba's own layer ends the process when two threads enter one at once,
and its OpenMP layer kills forked children (both measured), so callers go through :func:`exclusively`, and a forked child
is refused in plain words: spawn processes, never fork them.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")

_LOCK = threading.RLock()
_FORKED = threading.Event()
os.register_at_fork(after_in_child=_FORKED.set)


def serial(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel that runs in the calling thread; it releases the interpreter's lock while it runs."""
    return cast("Callable[P, R]", njit(cache=True, nogil=True, error_model="numpy")(function))


def parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel whose ``numba.prange`` loops use every core. Call it inside :func:`exclusively` only."""
    return cast("Callable[P, R]", njit(cache=True, nogil=True, parallel=True, error_model="numpy")(function))


@contextmanager
def exclusively() -> Iterator[None]:
    """Hold the one right to run parallel kernels.

    Raises
    ------
    RuntimeError
        In a forked child, where they would end the process without a word.
    """
    if _FORKED.is_set():
        raise RuntimeError(
            "Parallel kernels cannot run in a forked process; start it with the spawn method instead."
        )
    with _LOCK:
        yield
