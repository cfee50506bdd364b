"""Bank holidays, from the ``holidays`` library, for the years that a baseline can look at."""

from datetime import date
from functools import lru_cache

import holidays

from streams.profile import JurisdictionProfile

_YEARS = range(2000, 2051)


def bank_holidays(profile: JurisdictionProfile) -> frozenset[date]:
    """Return the public holidays of the jurisdiction's country and subdivision, 2000 to 2050."""
    return _of(profile.holiday_country, profile.holiday_subdivision)


@lru_cache(maxsize=32)
def _of(country: str, subdivision: str | None) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=_YEARS))
