"""Words of a text and the spelling rules between them, for the substance taxonomy.

`schemas.substances` is the only caller. Nothing here knows what a substance is, and nothing is remembered
between calls: the words may be somebody's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TOKEN: Final = re.compile(r"[a-z0-9]+")
_GREEK: Final = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta"}  # noqa: RUF001
_CHARACTERS: Final = str.maketrans({**_GREEK, **dict.fromkeys("'’‘`´′\u00ad\u200b", "")})  # noqa: RUF001
_HYPHENS: Final = re.compile(r"\s*[-‐‑‒–—−_]\s*\Z|\Z")  # noqa: RUF001
_SPACES: Final = re.compile(r"[\s\-‐‑‒–—−_()\[\]]*\Z")  # noqa: RUF001

_NEGATIONS: Final = frozenset({"no", "not", "without", "negative", "excluding", "denies"})
_BETWEEN: Final = frozenset({"for", "any", "evidence", "of", "known"})
_RIVAL: Final = 2
_MOST_TOKENS: Final = 9
"""More parts than the longest listed name has, when it is written with every hyphen."""


@dataclass(frozen=True, slots=True)
class Token:
    """A run of letters and digits, folded, with what stood between it and the token before it."""

    text: str
    gap: str


def fold(text: str) -> str:
    """Return `text` in the one form in which names are compared: compatibility form, no case, no accents."""
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_CHARACTERS)
    return "".join(character for character in folded if not unicodedata.combining(character))


def tokens_of(text: str) -> tuple[Token, ...]:
    """Return the tokens of `text` in order."""
    folded = fold(text)
    found: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(folded):
        found.append(Token(match.group(), folded[end : match.start()]))
        end = match.end()
    return tuple(found)


def key_of(text: str) -> str:
    """Return the letters and digits of `text`, folded: spellings that differ only in hyphens share a key."""
    return "".join(_TOKEN.findall(fold(text)))


def joined_by_hyphen(token: Token) -> bool:
    """Say whether `token` hangs on the one before it by a hyphen."""
    return _HYPHENS.match(token.gap) is not None


def joinable(before: Token, token: Token) -> bool:
    """Say whether two tokens may be parts of one name: by hyphen, space, bracket, or the comma of "3,4-"."""
    if _SPACES.match(token.gap):
        return True
    return token.gap == "," and len(before.text) == 1 and len(token.text) == 1


def joins(tokens: list[Token], place: int) -> list[str]:
    """Return the keys of the 1, 2, 3 ... tokens from `place` on, as far as they may be one name."""
    keys = [tokens[place].text]
    for before, token in pairwise(tokens[place : place + _MOST_TOKENS]):
        if not joinable(before, token):
            break
        keys.append(keys[-1] + token.text)
    return keys


def denied(tokens: list[Token], place: int) -> bool:
    """Say whether a negation stands before the name at `place`, with only small words between."""
    while place > 0 and tokens[place].gap.isspace():
        place -= 1
        if tokens[place].text in _NEGATIONS:
            return True
        if tokens[place].text not in _BETWEEN:
            return False
    return False


def distance(left: str, right: str, limit: int) -> int:
    """Return the edit distance, a swap of neighbours counting one, or `limit + 1` when it is more.

    Optimal string alignment: insertions, deletions, substitutions and swaps of adjacent letters, no letter
    edited twice.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    older: list[int] = []
    old = list(range(len(right) + 1))
    for row, letter in enumerate(left, start=1):
        new = [row]
        for column, other in enumerate(right, start=1):
            cost = min(old[column] + 1, new[-1] + 1, old[column - 1] + (letter != other))
            swapped = row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other
            new.append(min(cost, older[column - 2] + 1) if swapped else cost)
        if min(new) > limit:
            return limit + 1
        older, old = old, new
    return old[-1] if old[-1] <= limit else limit + 1


def shortened(word: str) -> Iterator[str]:
    """Yield `word` and every word made by leaving one letter out.

    Two words at distance 1 share at least one of these, so an index of them finds every candidate at once.
    """
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


class Spellings:
    """A set of words that finds the one which a misspelt word must mean, or none.

    A word's group says what it may be confused with without harm: a word one letter from "diazepam" is not
    accepted when it is within two letters of a word of another group.
    """

    def __init__(self, words: Iterable[tuple[str, str]], *, shortest: int) -> None:
        """Index `words`, pairs of (word, group), leaving out those shorter than `shortest` letters."""
        self._groups = {word: group for word, group in words if len(word) >= shortest and word.isalpha()}
        self._shortest = shortest
        self._longest = max(map(len, self._groups), default=0)
        self._index: dict[str, list[str]] = {}
        for word in sorted(self._groups):
            for short in shortened(word):
                self._index.setdefault(short, []).append(word)

    def nearest(self, word: str) -> str | None:
        """Return the one indexed word within an edit of `word`, if none of another group is within two."""
        if not self._shortest - 1 <= len(word) <= self._longest + 1 or not word.isalpha():
            return None
        candidates = {near for short in shortened(word) for near in self._index.get(short, ())}
        close = [near for near in sorted(candidates) if distance(word, near, 1) <= 1]
        if len(close) != 1:
            return None
        group = self._groups[close[0]]
        rivals = (other for other, its in self._groups.items() if its != group)
        return None if any(distance(word, rival, _RIVAL) <= _RIVAL for rival in rivals) else close[0]
