"""Identifiers made from what they identify, so that the same history gives the same bytes. Nothing here is random."""

import hashlib

from schemas.signals import Signal


def digest(*parts: object) -> str:
    """Return 32 hexadecimal digits that stand for ``parts`` in this order."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:32]


def signal_id(signal: Signal) -> str:
    """Return the identifier of a signal: its identity is (jurisdiction, detector, key, window end)."""
    return digest(signal.jurisdiction, signal.detector, signal.key, signal.window_end.isoformat())
