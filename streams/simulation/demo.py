"""What the demo plays: two years loaded in bulk, a quiet year, and two months with the two scripted outbreaks.

``tocsin demo`` and the acceptance tests call :func:`demo_script`. Same seed and geography, same records.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from schemas.clock import start_of_day
from schemas.geography import Geography
from streams.simulation.history import draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY, SimulationParameters
from streams.simulation.places import KENT_HOSPITALS, places_from
from streams.simulation.records import SimulatedRecord, records
from streams.simulation.scenarios import nitazene_spike, thanet_household

JURISDICTION = "kent-and-medway"
FIRST_DAY = date(2015, 1, 1)
QUIET_FROM = date(2017, 1, 1)
QUIET_TO = date(2017, 12, 31)
ENDS_AT = datetime(2018, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DemoScript:
    """Records by the moment at which they become known; nothing in the quiet year has a cause."""

    backfill: list[SimulatedRecord]
    """What was known before the service began, to be loaded in bulk at the beginning of ``quiet_from``."""
    live: list[SimulatedRecord]
    quiet_from: date
    quiet_to: date
    """The last day of the quiet year."""
    ends_at: datetime
    """No record becomes known later."""


def demo_script(
    seed: int,
    geography: Geography,
    *,
    jurisdiction: str = JURISDICTION,
    parameters: SimulationParameters = KENT_AND_MEDWAY,
) -> DemoScript:
    """Return the demo's records for a seed: chance is drawn from it, the two outbreaks are always the same."""
    places = places_from(geography, jurisdiction, KENT_HOSPITALS)
    n_days = (ENDS_AT.date() - FIRST_DAY).days
    history = draw_history(parameters, places, FIRST_DAY, n_days, np.random.default_rng(seed), label="demo")
    begins = start_of_day(QUIET_FROM)
    background = list(records(history))
    scripted = [*thanet_household(places), *nitazene_spike(places)]
    live = [record for record in [*background, *scripted] if begins <= record.known_at < ENDS_AT]
    return DemoScript(
        backfill=[record for record in background if record.known_at < begins],
        live=sorted(live, key=lambda record: (record.known_at, record.event.event_id)),
        quiet_from=QUIET_FROM,
        quiet_to=QUIET_TO,
        ends_at=ENDS_AT,
    )
