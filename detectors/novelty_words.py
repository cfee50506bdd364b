"""What a finding of novelty is called: one plain sentence with the true numbers and the denominator, for inside use.

``detectors/novelty.py`` calls :func:`sentence_for`. It never rounds a count and never names a substance more exactly
than its class: events carry classes.
"""

from collections.abc import Mapping
from datetime import date

from detectors.area_counts import plain_number
from detectors.novelty_history import WINDOW_DAYS
from detectors.novelty_rules import Finding, Kind
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

_WORDS: Mapping[SubstanceClass, str] = {
    SubstanceClass.ORPHINE: "an orphine or another synthetic opioid",
    SubstanceClass.ALPHA2_SEDATIVE: "an alpha-2 sedative",
    SubstanceClass.OTHER_DEPRESSANT: "another depressant",
}
_VOWELS = frozenset("aeiou")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def class_words(name: SubstanceClass) -> str:
    """Return a class with its article."""
    plain = name.value.replace("_", " ")
    return _WORDS.get(name, f"{'an' if plain[0] in _VOWELS else 'a'} {plain}")


def day_words(day: date) -> str:
    """Return a day as people write it."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def sentence_for(
    finding: Finding, today: date, first_day: date, names: Mapping[AreaCode, str], *, joined: bool
) -> str:
    """Return the sentence of a finding.

    Parameters
    ----------
    finding : Finding
    today : date
        The window's last day.
    first_day : date
        Since when the feed has been known.
    names : mapping of AreaCode to str
        What people call each place.
    joined : bool
        Whether records of the window that may be one seizure were counted as one.
    """
    samples = finding.feed is Feed.DRUG_CHECKING
    what = class_words(finding.substance_class)
    one = finding.tested == 1
    if samples:
        of = "sample" if one else "samples"
        if finding.sold is not None:
            of += f" sold as {class_words(finding.sold)}"
    else:
        of = f"suspected {'death that names' if one else 'deaths that name'} a substance"
    held = "held" if samples else "named"
    when = f"in the {WINDOW_DAYS} days to {_WEEKDAYS[today.weekday()]} {day_words(today)}"
    text = (
        f"{names.get(finding.place, finding.place)}: {finding.found} of {finding.tested} {of} {when} {held} "
        f"{what} where {plain_number(finding.chance.expected)} would be usual"
    )
    found, tested = finding.before
    if finding.kind is Kind.RETURNED and finding.last is not None:
        text += (
            f"; none of the {finding.gap} before did since {day_words(finding.last.day)}, "
            f"and until then {found} of {tested}."
        )
    else:
        never = ", never before" if not found else ""
        text += f"{never}; before: {found} of {tested} since {day_words(first_day)}."
    if joined:
        text += " Samples alike in day and place may be one seizure and count once."
    return text
