"""What a substance string means: its class, whether naloxone works on it, how potent it is.

For intake, which turns the words a feed sends into classes that can be counted, and for every package
that names a substance class. It must never guess: a string that no rule knows is `None`, and the caller
stores it as unknown. It reads no settings, keeps no state between calls and never logs what it was given,
which may be somebody's name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Self

from schemas.substance_text import Spellings, Token, denied, joined_by_hyphen, joins, key_of, tokens_of


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


OPIOID_CLASSES: Final[frozenset[SubstanceClass]] = frozenset(
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

WATCH_LIST: Final[frozenset[SubstanceClass]] = frozenset(
    {
        SubstanceClass.NITAZENE,
        SubstanceClass.FENTANYL,
        SubstanceClass.ORPHINE,
        SubstanceClass.ALPHA2_SEDATIVE,
    },
)
"""Classes of which a single detection is worth a review."""

_SHORTEST_KEY: Final = 3
"""A name of one or two letters would be found in initials and in units."""
_SHORTEST_SOLD_AS: Final = 2
"""These are compared whole and never looked for in text."""
_SHORTEST_WHEN_PARTED: Final = 6
"""A listed single word shorter than this is not put together from two words ("to ke t")."""
_SHORTEST_MISSPELT: Final = 8
"""Only words of this length are recognised with a letter wrong: shorter ones have too many neighbours."""
_SHORTEST_GLUED: Final = 5
_LONGEST_UNSEEN: Final = 60
_HIGHEST_POTENCY: Final = 4

_GLUED_BEFORE: Final = re.compile(r"(of|and|with|including)(?=.)")
_GLUED_AFTER: Final = re.compile(r"(?<=.)(and|with|toxicity|intoxication)$")


class TaxonomyError(ValueError):
    """A taxonomy that cannot be used; the message is one sentence for the person who wrote it."""


@dataclass(frozen=True)
class Substance:
    """One substance.

    `naloxone_responsive` says whether naloxone is expected to reverse it; `False` includes "not known to".
    `potency` is an ordinal within its family: 0 not ranked, 1 weaker than the family's reference (morphine or
    diazepam), 2 about alike, 3 some tens of times, 4 hundreds of times or more.
    """

    name: str
    substance_class: SubstanceClass
    naloxone_responsive: bool
    potency: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """How members of a class that nobody has listed yet are known by their spelling."""

    substance_class: SubstanceClass
    pattern: re.Pattern[str]
    is_suffix: bool
    spaces: bool


class Taxonomy:
    """One version of the taxonomy, read once and never changed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read a parsed taxonomy file; raise `TaxonomyError` for one that contradicts itself."""
        self._version = document.get("version")
        if not isinstance(self._version, str):
            raise TaxonomyError('The taxonomy has no version: give it one, such as version = "2026.1".')
        self._substances: dict[str, Substance] = {}
        self._defaults: dict[SubstanceClass, Substance] = {}
        self._rules: list[_Rule] = []
        self._watch_list: set[SubstanceClass] = set()
        self._unscanned: set[SubstanceClass] = set()
        self._parted: set[str] = set()
        self._sold_as: dict[str, SubstanceClass] = {}
        self._ignored = {key_of(phrase) for phrase in document.get("ignore", ())}
        self._prefixes = {key_of(prefix) for prefix in document.get("prefixes", ())}
        proper: dict[str, SubstanceClass] = {}
        for name, section in document.get("classes", {}).items():
            self._read_class(_class_named(name), section, proper)
        for name, names in document.get("sold_as", {}).items():
            for sold in names:
                self._sold_as[_checked_key(sold, _SHORTEST_SOLD_AS)] = _class_named(name)
        self._spellings = Spellings(
            ((key, its_class.value) for key, its_class in proper.items()),
            shortest=_SHORTEST_MISSPELT,
        )

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read a taxonomy from the text of a TOML file, or from the file at a `Path`."""
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        try:
            return cls(tomllib.loads(text))
        except KeyError as error:
            raise TaxonomyError(
                f"A class, member or pattern of the taxonomy lacks {error}: add it."
            ) from error
        except (AttributeError, TypeError) as error:
            raise TaxonomyError(f"The taxonomy is not laid out as it should be: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise TaxonomyError(f"The taxonomy is not valid TOML: {error}.") from error

    @property
    def version(self) -> str:
        """Return the version that the file states."""
        return str(self._version)

    @property
    def watch_list(self) -> frozenset[SubstanceClass]:
        """Return the classes that the file puts on the watch list."""
        return frozenset(self._watch_list)

    @property
    def substances(self) -> tuple[Substance, ...]:
        """Return every listed substance once, by class and name."""
        order = list(SubstanceClass)
        listed = set(self._substances.values())
        return tuple(sorted(listed, key=lambda one: (order.index(one.substance_class), one.name)))

    def classify(self, raw: str) -> Substance | None:
        """Return what one substance string means, or None when no rule knows it or when it names several.

        Words around the name are allowed ("Down (Unknown Opioid)", "suspected heroin").
        """
        exact = self._substances.get(key_of(raw))
        if exact is not None:
            return exact
        found = self.find_all(raw)
        return found[0] if len(found) == 1 else None

    def sold_as(self, raw: str) -> SubstanceClass | None:
        """Return the class that a name at the point of sale claims the goods to be, or None."""
        claimed = self._sold_as.get(key_of(raw))
        if claimed is not None:
            return claimed
        named = self.classify(raw)
        return None if named is None else named.substance_class

    def find_all(self, text: str) -> tuple[Substance, ...]:
        """Return every substance that free text names, once each, in the order of the text.

        The longest name wins; names begin and end where words do; "no heroin" and "negative for heroin"
        name none.
        """
        tokens = self._unglued(tokens_of(text))
        found: dict[Substance, None] = {}
        place = 0
        while place < len(tokens):
            length, substance = self._at(tokens, place)
            if (
                substance is not None
                and substance.substance_class not in self._unscanned
                and not denied(tokens, place)
            ):
                found[substance] = None
            place += max(length, 1)
        return tuple(found)

    def _read_class(
        self,
        substance_class: SubstanceClass,
        section: Mapping[str, Any],
        proper: dict[str, SubstanceClass],
    ) -> None:
        if section.get("watch_list"):
            self._watch_list.add(substance_class)
        if not section.get("in_text", True):
            self._unscanned.add(substance_class)
        default = Substance(
            "", substance_class, bool(section["naloxone_responsive"]), section.get("potency", 0)
        )
        self._defaults[substance_class] = default
        for suffix in section.get("suffixes", ()):
            self._rules.append(
                _Rule(
                    substance_class, _compiled(f"[a-z0-9]*{re.escape(suffix)}"), is_suffix=True, spaces=True
                )
            )
        for rule in section.get("patterns", ()):
            self._rules.append(
                _Rule(substance_class, _compiled(rule["pattern"]), is_suffix=False, spaces=rule["spaces"])
            )
        for member in section.get("members", ()):
            substance = Substance(
                member["name"],
                substance_class,
                member.get("naloxone_responsive", default.naloxone_responsive),
                member.get("potency", default.potency),
            )
            if not 0 <= substance.potency <= _HIGHEST_POTENCY:
                raise TaxonomyError(
                    f"The potency of {substance.name!r} is {substance.potency}: use 0 to {_HIGHEST_POTENCY}."
                )
            for name in (substance.name, *member.get("aliases", ())):
                proper[self._add(name, substance)] = substance_class
            for name in member.get("misspellings", ()):
                self._add(name, substance)

    def _add(self, name: str, substance: Substance) -> str:
        key = _checked_key(name)
        already = self._substances.setdefault(key, substance)
        if already != substance:
            raise TaxonomyError(
                f"{name!r} is listed under {already.name!r} and {substance.name!r}: keep it under one."
            )
        if len(tokens_of(name)) > 1:
            self._parted.add(key)
        return key

    def _unglued(self, tokens: Iterable[Token]) -> list[Token]:
        """Part words that were typed without the space before or after a name: "offentanyl", "heroinand"."""
        parted: list[Token] = []
        for token in tokens:
            parted.extend(self._parts(token))
        return parted

    def _parts(self, token: Token) -> tuple[Token, ...]:
        if token.text in self._substances or len(token.text) <= _SHORTEST_GLUED:
            return (token,)
        before = _GLUED_BEFORE.match(token.text)
        if before is not None and self._may_begin_name(rest := token.text[before.end() :]):
            return (Token(before.group(), token.gap), Token(rest, " "))
        after = _GLUED_AFTER.search(token.text)
        if after is not None and self._may_begin_name(name := token.text[: after.start()]):
            return (Token(name, token.gap), Token(after.group(), " "))
        return (token,)

    def _may_begin_name(self, word: str) -> bool:
        if len(word) < _SHORTEST_GLUED:
            return word.isdigit()
        return (
            word in self._substances
            or word in self._prefixes
            or self._by_rule(word, spaced=False) is not None
        )

    def _at(self, tokens: list[Token], place: int) -> tuple[int, Substance | None]:
        """Return how many tokens the longest name at `place` takes, and the substance it names."""
        keys = joins(tokens, place)
        for length in range(len(keys), 0, -1):
            key = keys[length - 1]
            if key in self._ignored:
                return length, None
            substance = self._substances.get(key)
            if substance is not None and (
                length == 1 or key in self._parted or len(key) >= _SHORTEST_WHEN_PARTED
            ):
                return length, substance
            if length > 1 and (unseen := self._compound(tokens, place, length, key)) is not None:
                return length, unseen
        return 1, self._word(tokens[place].text)

    def _compound(self, tokens: list[Token], place: int, length: int, key: str) -> Substance | None:
        """Name a member nobody has listed that is written as several tokens, if the rules know it."""
        parts = tokens[place : place + length]
        if self._is_prefixed(parts):
            return self._by_rule(key, spaced=True)
        hyphened = all(joined_by_hyphen(part) for part in parts[1:])
        found = self._by_rule(key, spaced=not hyphened, patterns_only=True)
        # The shortest run that a pattern knows, so that two names in a row stay two.
        shorter = key.removesuffix(parts[-1].text)
        return None if found is None or self._by_rule(shorter, spaced=False, patterns_only=True) else found

    def _is_prefixed(self, parts: list[Token]) -> bool:
        """Say whether all tokens but the last are parts of a chemical name, the last but one a whole word."""
        *before, _ = parts
        return before[-1].text in self._prefixes and all(
            part.text in self._prefixes or len(part.text) == 1 for part in before
        )

    def _word(self, word: str) -> Substance | None:
        """Return what an unlisted word means: a listed name with a letter wrong, or an unseen member."""
        by_rule = self._by_rule(word, spaced=False)
        near = self._spellings.nearest(word)
        if near is None:
            return by_rule
        listed = self._substances[near]
        # "aprazolam" is alprazolam misspelt, and not the novel benzodiazepine that its ending says.
        return (
            by_rule if by_rule is not None and by_rule.substance_class is listed.substance_class else listed
        )

    def _by_rule(self, key: str, *, spaced: bool, patterns_only: bool = False) -> Substance | None:
        if len(key) > _LONGEST_UNSEEN:
            return None
        for rule in self._rules:
            if (spaced and not rule.spaces) or (patterns_only and rule.is_suffix):
                continue
            if rule.pattern.fullmatch(key):
                default = self._defaults[rule.substance_class]
                return Substance(key, default.substance_class, default.naloxone_responsive, default.potency)
        return None


def _class_named(name: str) -> SubstanceClass:
    try:
        named = SubstanceClass(name)
    except ValueError as error:
        raise TaxonomyError(
            f"{name!r} is not a substance class: use one of {', '.join(sorted(SubstanceClass))}."
        ) from error
    if named is SubstanceClass.ANY:
        raise TaxonomyError(
            "The class 'any' is for counting and has no members: put them under another class."
        )
    return named


def _checked_key(name: str, shortest: int = _SHORTEST_KEY) -> str:
    key = key_of(name)
    if len(key) < shortest:
        raise TaxonomyError(
            f"{name!r} is too short to tell from initials: names need {shortest} letters or digits."
        )
    return key


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise TaxonomyError(f"The pattern {pattern!r} is not a regular expression: {error}.") from error


@cache
def default_taxonomy() -> Taxonomy:
    """Return the taxonomy that ships with the package."""
    return Taxonomy.load(resources.files("schemas").joinpath("substances.toml").read_text(encoding="utf-8"))
