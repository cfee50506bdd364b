"""What a substance string means: its class, whether naloxone works on it, how potent it is.

For intake, which turns the words a feed sends into classes that can be counted, and for every package that names a
substance class. It must never guess: a string that no rule knows is `None`, and the caller stores it as unknown.
It reads no settings, keeps no state between calls and never logs what it was given (the string may be a name).
"""

from __future__ import annotations

from enum import StrEnum


class SubstanceClass(StrEnum):
    """The classes that are counted; the order of the members is the order in which people read them."""

    NITAZENE = "nitazene"
    FENTANYL = "fentanyl"
    ORPHINE = "orphine"
    """Orphines and the other synthetic opioids that are neither nitazene nor fentanyl."""
    OPIATE = "opiate"
    PHARMACEUTICAL_OPIOID = "pharmaceutical_opioid"
    ALPHA2_SEDATIVE = "alpha2_sedative"
    NOVEL_BENZODIAZEPINE = "novel_benzodiazepine"
    BENZODIAZEPINE = "benzodiazepine"
    SYNTHETIC_CANNABINOID = "synthetic_cannabinoid"
    STIMULANT = "stimulant"
    DISSOCIATIVE = "dissociative"
    OTHER_DEPRESSANT = "other_depressant"
    UNKNOWN_OPIOID = "unknown_opioid"
    UNKNOWN = "unknown"
    ANY = "any"
    """Every event once, whatever it names. Only a counting class: no substance and no event carries it."""


OPIOID_CLASSES: frozenset[SubstanceClass] = frozenset(
    {
        SubstanceClass.NITAZENE,
        SubstanceClass.FENTANYL,
        SubstanceClass.ORPHINE,
        SubstanceClass.OPIATE,
        SubstanceClass.PHARMACEUTICAL_OPIOID,
        SubstanceClass.UNKNOWN_OPIOID,
    },
)
"""An incident of one of these is overlapped by a signal of `unknown_opioid`, and the other way round."""

WATCH_LIST: frozenset[SubstanceClass] = frozenset(
    {
        SubstanceClass.NITAZENE,
        SubstanceClass.FENTANYL,
        SubstanceClass.ORPHINE,
        SubstanceClass.ALPHA2_SEDATIVE,
    },
)
"""Classes of which a single detection is worth a review."""
