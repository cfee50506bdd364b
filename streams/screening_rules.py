"""What an identifier looks like: NHS numbers, full postcodes, dates, telephone numbers, e-mail addresses.

For ``screening.py`` only, which knows the fields of a record; here is only text. Every rule errs towards
finding, except where a normal record would be hit: hashes, ONS codes, SNOMED and ICD codes and substance names
must pass. Nothing is remembered between calls and nothing is logged: the text may be somebody's.
"""

import re
import unicodedata
from datetime import date, timedelta
from enum import Enum

from streams.snomed import is_snomed_identifier

_OWN_REFERENCE = "Send a keyed hash of it, or a reference of your own that means nothing elsewhere."


class Identifier(Enum):
    """What was recognised: its words for people, and what a sender should do."""

    NHS_NUMBER = ("NHS number", "what looks like an NHS number", _OWN_REFERENCE)
    POSTCODE = ("full postcode", "a full postcode", "Send the code of the area instead.")
    DATE_OF_BIRTH = (
        "date",
        "a date that may be a date of birth",
        "Send an age band instead; leave other dates out.",
    )
    TELEPHONE = ("telephone number", "a telephone number", "Leave it out.")
    EMAIL = ("e-mail address", "an e-mail address", "Leave it out.")
    NAME = ("name or address", "a name or address", "Leave it out.")
    POSITION = ("position", "a position", "Send the code of the area instead.")
    TOO_LONG = (
        "too long",
        "text too long to be screened",
        "Send the record as documented; no field is free text.",
    )
    TOO_DEEP = ("too deeply nested", "nesting too deep to be screened", "Send the record as documented.")

    def __init__(self, short: str, words: str, advice: str) -> None:
        self.words = words
        self.advice = advice
        self.redacted = f"[redacted: {short}]"


_SOMETHING = re.compile(r"@|\d[^\d]*\d")


def may_hold_something(text: str) -> bool:
    """Say quickly whether any rule could find anything: each needs two digits or an @."""
    return _SOMETHING.search(text) is not None


# -- NHS numbers

_NINE_DIGITS = re.compile(r"(?:\d\D*){9}")
"""A quick look before the slow ones: an NHS number has ten digits, a telephone number at least nine."""

_DASHES = r"\-\u2010\u2011\u2012\u2013\u2014\u2212"
_GAP = rf"[\s{_DASHES}._/]{{1,3}}"
_TEN_DIGITS = re.compile(
    # As one word; in the usual groups of 3, 3 and 4; or with spaces anywhere, which no code has.
    # Looked for at every place, so that digits before it cannot hide one.
    rf"(?<!\d)(?=(\d{{10}}(?!\d)|\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}(?!\d)|\d(?:\s{{0,2}}\d){{9}}(?!\d)))"
)
_HEXADECIMAL = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9-]*[A-Fa-f])(?:[0-9A-Fa-f]{24,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?![0-9A-Za-z])"
)
"""A hash or a UUID: a run of ten digits inside one is chance (about one hash in 150 would be hit)."""


def is_nhs_number(digits: str) -> bool:
    """Say whether ten digits have a valid check digit (modulus 11, as NHS, CHI and H&C numbers have)."""
    if len(digits) != 10 or not digits.isdecimal():  # noqa: PLR2004 (ten digits)
        return False
    total = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), digits, strict=False))
    return (11 - total % 11) % 11 == int(digits[9])


def _nhs_number(text: str) -> bool:
    if _NINE_DIGITS.search(text) is None or _TEN_DIGITS.search(text) is None:
        return False
    for match in _TEN_DIGITS.finditer(_HEXADECIMAL.sub(" . ", text)):
        if is_nhs_number("".join(character for character in match[1] if character.isdecimal())):
            return True
    return False


# -- postcodes

_POSTCODE_AREAS = (
    "AB|AL|B|BA|BB|BD|BF|BH|BL|BN|BR|BS|BT|BX|CA|CB|CF|CH|CM|CO|CR|CT|CV|CW|DA|DD|DE|DG|DH|DL|DN|DT|DY|E|EC|EH|EN|EX|"
    "FK|FY|G|GL|GU|GY|HA|HD|HG|HP|HR|HS|HU|HX|IG|IM|IP|IV|JE|KA|KT|KW|KY|L|LA|LD|LE|LL|LN|LS|LU|M|ME|MK|ML|N|NE|NG|NN|"
    "NP|NR|NW|OL|OX|PA|PE|PH|PL|PO|PR|RG|RH|RM|S|SA|SE|SG|SK|SL|SM|SN|SO|SP|SR|SS|ST|SW|SY|TA|TD|TF|TN|TQ|TR|TS|TW|UB|"
    "W|WA|WC|WD|WF|WN|WR|WS|WV|YO|ZE"
)
_OUTWARD = rf"(?:{_POSTCODE_AREAS})\d[0-9A-Z]?"
_INWARD = "[0-9][ABD-HJLNP-UW-Z]{2}"
_POSTCODE = re.compile(
    rf"(?<![0-9A-Z]){_OUTWARD}(?:(?P<gap>[\s{_DASHES}._+/]{{1,3}})|)(?P<inward>{_INWARD})(?![0-9A-Z])",
    re.IGNORECASE | re.ASCII,
)
_PARTED_POSTCODE = re.compile(
    rf"(?<![0-9A-Za-z]){_OUTWARD}[\s{_DASHES}._/]{_INWARD}(?![0-9A-Za-z])", re.ASCII
)
_ORDINAL = re.compile(r"1st|2nd|3rd|\dth")


def _postcode(text: str) -> bool:
    # "ward-b2-3rd-floor" is a place in a hospital, not a postcode.
    return any(
        not (match["gap"] and _ORDINAL.fullmatch(match["inward"])) for match in _POSTCODE.finditer(text)
    )


# -- dates

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_YEAR_FIRST = re.compile(r"(?<!\d)(?P<y>(?:18|19|20)\d\d)[-/.\s](?P<m>\d{1,2})[-/.\s](?P<d>\d{1,2})(?!\d)")
_DAY_FIRST = re.compile(
    r"(?<![\d.])(?P<d>\d{1,2})(?P<gap>[-/.\s])(?P<m>\d{1,2})(?P=gap)(?P<y>(?:18|19|20)\d\d|\d\d)(?![\d.])"
)
_NAMED_MONTH = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-/.,\s]*(?:of\s+)?(?P<m>{_MONTHS})[a-z]*[-/.,\s]*(?P<y>(?:18|19|20)\d\d|\d\d)(?!\d)"
    rf"|\b(?P<m2>{_MONTHS})[a-z]*[-/.,\s]*(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?[-/.,\s]+(?P<y2>(?:18|19|20)\d\d)(?!\d)",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?<![0-9A-Za-z])(?P<y>(?:18|19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?![0-9A-Za-z])")
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s?(?:[Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)

_NEAR = timedelta(days=400)
"""A date in a reference is that of the incident when it is this near to it; a date of birth is not."""


def is_moment(text: str) -> bool:
    """Say whether the whole text is one ISO 8601 date and time."""
    return _MOMENT.fullmatch(text) is not None


def day_of(moment: object) -> date | None:
    """Return the day that a record's ``occurred_at`` begins with, if it is written as ISO 8601."""
    if not isinstance(moment, str):
        return None
    try:
        return date.fromisoformat(moment[:10])
    except ValueError:
        return None


def _dates(text: str, *, compact: bool) -> list[date]:
    found: list[date] = []
    for pattern in (_YEAR_FIRST, _DAY_FIRST, _NAMED_MONTH, _COMPACT)[: 4 if compact else 3]:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            year, month, day = (parts.get(name) or parts.get(f"{name}2") or "" for name in "ymd")
            number = int(month) if month.isdecimal() else _MONTHS.split("|").index(month.lower()) + 1
            found += _possible(int(year), number, int(day))
    return found


def _possible(year: int, month: int, day: int) -> list[date]:
    """Return the day meant, if there is one: month and day either way round, a short year in this century."""
    year += 0 if year > 99 else 2000  # noqa: PLR2004 (two digits)
    for first, second in ((month, day), (day, month)):
        try:
            return [date(year, first, second)]
        except ValueError:
            continue
    return []


# -- telephones and e-mail

_SEPARATORS = rf"[\s{_DASHES}.]?"
_TELEPHONE = re.compile(
    # With its country's code ...
    r"(?<![\w+])(?:\+[1-9]|00(?=44|353))(?:[\s().\-]{0,2}\d){8,14}(?!\w)"
    # ... from 01, 02, 03, 05, 07, 08 and 09 on, ten or eleven digits in the groups that people use ...
    rf"|(?<![\w.+])\(?(?=(?:\D*\d){{10,11}}(?!\d))0[1-35789]\d{{1,4}}\)?{_SEPARATORS}\d{{3,4}}{_SEPARATORS}\d{{3,4}}(?![\w])"
    # ... or a mobile number whose + was lost in a spreadsheet.
    r"|(?<![\w.+])447\d{9}(?!\w)",
    re.ASCII,
)


def _telephone(text: str) -> bool:
    return _NINE_DIGITS.search(text) is not None and _TELEPHONE.search(text) is not None


_EMAIL = re.compile(r"[\w.+'%=-]+\s?@\s?[\w-]+(?:\.[\w-]+)+")


# -- the three kinds of text


def is_ons_code(text: str) -> bool:
    """Say whether this has the form of a code of the Office for National Statistics, such as E01024123."""
    return _ONS.fullmatch(text) is not None


_ONS = re.compile(r"[EWSNKJ]\d{8}", re.ASCII)


def _folded(text: str) -> str:
    """Full-width and other digits, and ligatures, in their plain form."""
    return (
        text
        if text.isascii()
        else unicodedata.normalize("NFKC", text).replace("\u00ad", "").replace("\u200b", "")
    )


def holds_identifier(text: str) -> Identifier | None:
    """Return the first kind of identifier that ordinary text holds, or None."""
    text = _folded(text)
    if "@" in text and _EMAIL.search(text):
        return Identifier.EMAIL
    if _nhs_number(text):
        return Identifier.NHS_NUMBER
    if _postcode(text):
        return Identifier.POSTCODE
    if _dates(text, compact=True):
        return Identifier.DATE_OF_BIRTH
    return Identifier.TELEPHONE if _telephone(text) else None


def identifier_in_opaque_text(text: str, occurred: date | None) -> Identifier | None:
    """Return the kind of identifier that a reference or a hash holds, or None.

    Parameters
    ----------
    text : str
        Something a sender made up to tell records apart. Random letters and digits must not be taken for a
        postcode, nor eight digits in a row for a date.
    occurred : date, optional
        When the record says that it happened. References often begin with that date; other dates may be of
        birth.
    """
    text = _folded(text)
    if "@" in text and _EMAIL.search(text):
        return Identifier.EMAIL
    if _nhs_number(text):
        return Identifier.NHS_NUMBER
    if _is_random(text):
        return Identifier.POSTCODE if _PARTED_POSTCODE.search(text) else None
    if _postcode(text):
        return Identifier.POSTCODE
    if any(occurred is None or abs(day - occurred) > _NEAR for day in _dates(text, compact=False)):
        return Identifier.DATE_OF_BIRTH
    return Identifier.TELEPHONE if _telephone(text) else None


def _is_random(text: str) -> bool:
    """Say whether this looks like a hash, in base64 or hexadecimal, and not put together by rule."""
    if len(text) < 16:  # noqa: PLR2004 (the shortest token that a message may carry)
        return False
    if _HEXADECIMAL.fullmatch(text):
        return True
    return any(map(str.islower, text)) and any(map(str.isupper, text)) and any(map(str.isdecimal, text))


def identifier_in_code(text: str) -> Identifier | None:
    """Return the kind of identifier that a diagnosis holds, or None: a SNOMED CT code may look like one."""
    return None if is_snomed_identifier(text) else holds_identifier(text)
