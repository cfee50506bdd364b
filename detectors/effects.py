"""What one harmed person leaves in the feeds: the streams that fusion adds up, and the profile of each kind of event.

Read by the fusion detector only. A *stream* is one feed and one group of classes; an event belongs to exactly one, so
that the evidence of streams can be added. A *profile* says how many records one harmed person leaves in each stream.
The figures are planning figures with a reason, written down before any data were looked at; none is fitted to a
simulator. They need not be right: the generic profiles find what no profile foresaw, only somewhat later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from detectors.sightings import FEEDS, IntArray, class_bits
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
_C = SubstanceClass


class Group(StrEnum):
    """Classes that are evidence of the same thing, in the order of concern: an event belongs to the first it names."""

    POTENT = "potent"
    """Synthetic opioids of the watch list: rare, and nearly proof when named."""
    ALPHA2 = "alpha2"
    CANNABINOID = "cannabinoid"
    BENZODIAZEPINE = "benzodiazepine"
    OPIOID = "opioid"
    """Named or not: naloxone that names nothing was given for an unknown opioid."""
    DEPRESSANT = "depressant"
    STIMULANT = "stimulant"
    UNKNOWN = "unknown"


GROUPS: tuple[Group, ...] = tuple(Group)
_MEMBERS: Mapping[Group, tuple[SubstanceClass, ...]] = {
    Group.POTENT: (_C.NITAZENE, _C.FENTANYL, _C.ORPHINE),
    Group.ALPHA2: (_C.ALPHA2_SEDATIVE,),
    Group.CANNABINOID: (_C.SYNTHETIC_CANNABINOID,),
    Group.BENZODIAZEPINE: (_C.NOVEL_BENZODIAZEPINE, _C.BENZODIAZEPINE),
    Group.OPIOID: (_C.OPIATE, _C.PHARMACEUTICAL_OPIOID, _C.UNKNOWN_OPIOID),
    Group.DEPRESSANT: (_C.OTHER_DEPRESSANT,),
    Group.STIMULANT: (_C.STIMULANT, _C.DISSOCIATIVE),
    Group.UNKNOWN: (_C.UNKNOWN,),
}
GROUP_BITS: tuple[int, ...] = tuple(class_bits(_MEMBERS[group]) for group in GROUPS)

N_FEEDS, N_GROUPS = len(FEEDS), len(GROUPS)
N_STREAMS = N_FEEDS * N_GROUPS


def groups_of(classes: IntArray) -> IntArray:
    """Return the group (index into ``GROUPS``) of each event from the bits of the classes it names.

    Examples
    --------
    >>> import numpy as np
    >>> both = class_bits([SubstanceClass.NITAZENE, SubstanceClass.BENZODIAZEPINE])
    >>> [GROUPS[row].value for row in groups_of(np.array([both, class_bits([SubstanceClass.UNKNOWN])]))]
    ['potent', 'unknown']
    """
    found = np.full(classes.shape, N_GROUPS - 1, dtype=np.int64)
    for index in range(N_GROUPS - 1, -1, -1):
        found[(classes & GROUP_BITS[index]) != 0] = index
    return found


PLANNED_GROUPS: Mapping[Feed, tuple[float, ...]] = {
    #                          potent alpha2 cannab benzo opioid depress stimul unknown
    Feed.SUSPECTED_DEATHS: (0.006, 0.001, 0.01, 0.08, 0.38, 0.06, 0.063, 0.4),
    Feed.AMBULANCE_NALOXONE: (0.004, 0.001, 0.001, 0.02, 0.944, 0.01, 0.01, 0.01),
    Feed.ED_PRESENTATIONS: (0.002, 0.001, 0.03, 0.04, 0.1, 0.08, 0.08, 0.667),
    Feed.DRUG_CHECKING: (0.016, 0.004, 0.1, 0.25, 0.28, 0.05, 0.28, 0.02),
}
"""How a feed's records are usually spread over the groups until its own say otherwise (``PLANNED_WORTH`` events)."""

PLANNED_WORTH = 30.0

ALSO_IN: Mapping[tuple[Feed, Feed], float] = {
    (Feed.SUSPECTED_DEATHS, Feed.AMBULANCE_NALOXONE): 0.35,
    (Feed.SUSPECTED_DEATHS, Feed.ED_PRESENTATIONS): 0.15,
    (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS): 0.5,
}
"""The share of one feed's people who are also in a later one: a person already seen says less the second time.

Planning figures: about half of the patients given naloxone are taken to hospital (30-70 %), an ambulance reached about
a third of those who died. Pairs run in the order of ``FEEDS``.
"""

_NAMED: Mapping[Feed, float] = {
    Feed.SUSPECTED_DEATHS: 0.6,
    Feed.AMBULANCE_NALOXONE: 0.15,
    Feed.ED_PRESENTATIONS: 1 / 3,
    Feed.DRUG_CHECKING: 1.0,
}
"""Share of records that name a substance: a third of A&E records in one three-site study, few ambulance records."""

_UNNAMED: Mapping[Feed, Group] = {
    Feed.SUSPECTED_DEATHS: Group.UNKNOWN,
    Feed.AMBULANCE_NALOXONE: Group.OPIOID,
    Feed.ED_PRESENTATIONS: Group.UNKNOWN,
    Feed.DRUG_CHECKING: Group.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of event.

    Attributes
    ----------
    name : str
        What signals carry as ``event_type``.
    words : str
        How a sentence says it, after "fits".
    prior : float
        How likely it is before anything is seen.
    feeds : mapping of Feed to float
        Records in each feed for one harmed person; of samples, those that somebody brings.
    named : mapping of Group to float, or None
        What records that name something name; None for "as usual for the feed", the mark of a generic profile.
    sampled : mapping of Group to float, or None
        The same for samples, in which a laboratory looks.
    substance_class : SubstanceClass
        Of a signal whose records name nothing better.
    """

    name: str
    words: str
    prior: float
    feeds: Mapping[Feed, float]
    named: Mapping[Group, float] | None
    sampled: Mapping[Group, float] | None
    substance_class: SubstanceClass


PROFILES: tuple[Profile, ...] = (
    # Of those whom the feeds show in an ordinary year about one in twenty dies; in the West Midlands in 2023 it was 18 of
    # 43, few survivors being counted: 8 % here. Survivors are found by naloxone two times in three; crews and triage
    # rarely know the name, a laboratory does.
    Profile(
        "opioid",
        "a nitazene-like opioid cluster",
        0.34,
        {
            Feed.SUSPECTED_DEATHS: 0.08,
            Feed.AMBULANCE_NALOXONE: 0.65,
            Feed.ED_PRESENTATIONS: 0.5,
            Feed.DRUG_CHECKING: 0.03,
        },
        {Group.POTENT: 0.15, Group.ALPHA2: 0.03, Group.BENZODIAZEPINE: 0.07, Group.OPIOID: 0.75},
        {Group.POTENT: 0.75, Group.ALPHA2: 0.1, Group.BENZODIAZEPINE: 0.1, Group.OPIOID: 0.05},
        _C.UNKNOWN_OPIOID,
    ),
    # Naloxone is tried on one in ten because the patient is drowsy, and does nothing.
    Profile(
        "benzodiazepine",
        "a benzodiazepine cluster",
        0.12,
        {
            Feed.SUSPECTED_DEATHS: 0.04,
            Feed.AMBULANCE_NALOXONE: 0.1,
            Feed.ED_PRESENTATIONS: 0.8,
            Feed.DRUG_CHECKING: 0.05,
        },
        {Group.BENZODIAZEPINE: 0.85, Group.OPIOID: 0.08, Group.DEPRESSANT: 0.07},
        {Group.BENZODIAZEPINE: 0.9, Group.POTENT: 0.1},
        _C.NOVEL_BENZODIAZEPINE,
    ),
    # Kent, January 2018: nine people from one address, one death, no naloxone.
    Profile(
        "cannabinoid",
        "a synthetic-cannabinoid cluster",
        0.12,
        {
            Feed.SUSPECTED_DEATHS: 0.02,
            Feed.AMBULANCE_NALOXONE: 0.02,
            Feed.ED_PRESENTATIONS: 0.85,
            Feed.DRUG_CHECKING: 0.05,
        },
        {Group.CANNABINOID: 0.95, Group.DEPRESSANT: 0.05},
        {Group.CANNABINOID: 1.0},
        _C.SYNTHETIC_CANNABINOID,
    ),
    Profile(
        "stimulant",
        "a stimulant or dissociative cluster",
        0.10,
        {
            Feed.SUSPECTED_DEATHS: 0.03,
            Feed.AMBULANCE_NALOXONE: 0.03,
            Feed.ED_PRESENTATIONS: 0.85,
            Feed.DRUG_CHECKING: 0.05,
        },
        {Group.STIMULANT: 0.95, Group.DEPRESSANT: 0.05},
        {Group.STIMULANT: 0.9, Group.POTENT: 0.1},
        _C.STIMULANT,
    ),
    # What no profile foresees: people in several feeds, or in one alone, with names as usual there.
    Profile(
        "unspecific",
        "harm of no particular kind",
        0.12,
        {Feed.SUSPECTED_DEATHS: 0.05, Feed.AMBULANCE_NALOXONE: 0.4, Feed.ED_PRESENTATIONS: 0.7},
        None,
        None,
        _C.UNKNOWN,
    ),
    Profile("deaths_only", "deaths alone", 0.08, {Feed.SUSPECTED_DEATHS: 1.0}, None, None, _C.UNKNOWN),
    Profile(
        "naloxone_only",
        "ambulance naloxone alone, which may be harm or an artefact",
        0.04,
        {Feed.AMBULANCE_NALOXONE: 1.0},
        None,
        None,
        _C.UNKNOWN_OPIOID,
    ),
    Profile(
        "ed_only",
        "A&E alone, which may be harm or an artefact",
        0.08,
        {Feed.ED_PRESENTATIONS: 1.0},
        None,
        None,
        _C.UNKNOWN,
    ),
)


def overlaps() -> FloatArray:
    """Return ``ALSO_IN`` as an array of shape (n_feeds, n_feeds): row the feed seen, column the feed seen as well."""
    table = np.zeros((N_FEEDS, N_FEEDS))
    for (first, second), share in ALSO_IN.items():
        table[FEEDS.index(first), FEEDS.index(second)] = share
    return table


def records_of_people(
    profiles: tuple[Profile, ...] = PROFILES,
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return what one harmed person of each profile leaves in the feeds, as the kernels take it.

    Returns
    -------
    feeds : ndarray of float64, shape (n_profiles, n_feeds)
        Records in each feed.
    names : ndarray of float64, shape (n_profiles, n_streams)
        How those of a feed are spread over its groups; rows of zeros for a generic profile.
    generic : ndarray of bool, shape (n_profiles,)
        Whether it says nothing of names.
    """
    feeds = np.array([[profile.feeds.get(feed, 0.0) for feed in FEEDS] for profile in profiles])
    names = np.zeros((len(profiles), N_FEEDS, N_GROUPS))
    for row, profile in enumerate(profiles):
        for column, feed in enumerate(FEEDS):
            named = profile.sampled if feed is Feed.DRUG_CHECKING else profile.named
            if named is not None:
                names[row, column] = [named.get(group, 0.0) * _NAMED[feed] for group in GROUPS]
                names[row, column, GROUPS.index(_UNNAMED[feed])] += 1.0 - _NAMED[feed]
    generic = np.array([profile.named is None for profile in profiles])
    return feeds, names.reshape(len(profiles), N_STREAMS), generic
