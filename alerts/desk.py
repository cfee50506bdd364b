"""The desk: what the people side needs besides a connection and the time. The composition root makes one.

It holds settings and the names of places, and never a connection, a clock or a secret in a form that prints.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from alerts.settings import AlertsSettings
from schemas.geography import AreaCode
from schemas.vocabulary import Jurisdiction

_SMALL_WORDS = frozenset({"and", "of", "the", "in"})


class NamedArea(Protocol):
    """An area that has a name."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...


class Places(Protocol):
    """What this package asks of a geography (``schemas.geography.Geography`` answers it)."""

    @property
    def root(self) -> AreaCode:
        """The area that holds all others."""
        ...

    def detection_areas(self) -> tuple[AreaCode, ...]:
        """Return the areas at which clusters are looked for, by code."""
        ...

    def get(self, code: str) -> NamedArea | None:
        """Return the area of a code, or nothing."""
        ...


@dataclass(frozen=True)
class Desk:
    """Settings, and the places of each jurisdiction."""

    settings: AlertsSettings
    places: Mapping[Jurisdiction, Places]
    prefixes: Mapping[Jurisdiction, str] = field(init=False)

    def __post_init__(self) -> None:
        prefixes = {
            name: self.settings.incident_prefixes.get(name) or prefix_of(name) for name in sorted(self.places)
        }
        if len(set(prefixes.values())) != len(prefixes):
            msg = "Two jurisdictions would number their incidents alike; give one a prefix in incident_prefixes."
            raise ValueError(msg)
        object.__setattr__(self, "prefixes", prefixes)

    def root_of(self, jurisdiction: Jurisdiction) -> AreaCode:
        """Return the area that is the whole jurisdiction."""
        return self.places[jurisdiction].root

    def parts_of(self, jurisdiction: Jurisdiction, areas: Collection[AreaCode]) -> frozenset[AreaCode]:
        """Return ``areas``, with the whole jurisdiction replaced by the areas in it."""
        places = self.places[jurisdiction]
        return frozenset(places.detection_areas() if places.root in areas else areas)

    def name_of(self, jurisdiction: Jurisdiction, code: AreaCode) -> str:
        """Return what people call an area; its code where the geography does not know it."""
        area = self.places[jurisdiction].get(code)
        return area.name if area is not None else str(code)


def prefix_of(jurisdiction: Jurisdiction) -> str:
    """Return the prefix of incident numbers.

    Initials (``kent-and-medway`` gives KM), or the first three letters of a single word.
    """
    words = [word for word in jurisdiction.split("-") if word and word not in _SMALL_WORDS]
    if len(words) == 1:
        return words[0][:3].upper()
    return "".join(word[0] for word in words).upper()[:12]
