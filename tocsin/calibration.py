"""Calibration: thresholds learnt from simulated null histories, run through the very code that runs in the service.

Histories are simulated and played in worker processes (spawned, never forked), each from its own child of one seed, so
that the result does not depend on how many processes there are.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from detectors.budget import Budget
from detectors.calibration import NullHistory, Played, Setup, learn, play
from detectors.observations import Observation
from detectors.terrain import terrain_of
from detectors.tripwire_calibration import Ground, calibrate_tripwires
from detectors.tripwire_thresholds import CONCURRENT, SCENE, WATCH_LIST, TripwireThresholds
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams.detection import jurisdiction_zones, populations
from streams.detectors import calibrated_of
from streams.history import series_of
from streams.holidays import bank_holidays
from streams.profile import JurisdictionProfile
from streams.simulation.counting import occurrences, sightings
from streams.simulation.history import History, draw_history
from streams.simulation.observing import observations
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.places import KENT_HOSPITALS, places_from
from tocsin.learnt import Learnt, with_never_learnt
from tocsin.progress import progress as show_progress

KENT = Jurisdiction("kent-and-medway")
TRAINING_DAYS = 728
COUNTED_DAYS = 728
_TRIPWIRE_DAYS = 364
_FIRST_DAY = date(2014, 1, 6)
"""A Monday; simulated histories begin here, where the calendar of bank holidays is known."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Plan:
    """How much is simulated."""

    count_histories: int = 60
    """Each counts two years, after two that teach."""
    tripwire_years: int = 150
    seed: int = 2026


def setup_of(profile: JurisdictionProfile) -> Setup:
    """Return what a jurisdiction's detection runs use, for calibration to use too."""
    return Setup(
        zones=jurisdiction_zones(profile),
        populations=populations(profile),
        completeness={feed: np.asarray([*one.completeness, 1.0]) for feed, one in profile.feeds.items()},
        holidays=bank_holidays(profile),
        training_days=TRAINING_DAYS,
        detectors=calibrated_of(profile),
    )


def calibrate_kent(plan: Plan, *, budget: Budget | None = None, progress: Progress | None = None) -> Learnt:
    """Learn Kent and Medway's thresholds from the simulator of people.

    ``progress`` is called with the share done, from 0 to 1.
    """
    seeds = np.random.SeedSequence(plan.seed).spawn(plan.count_histories + plan.tripwire_years)
    tell = progress or (lambda _share: None)
    note = (
        f"Learnt from {plan.count_histories} simulated histories of Kent and Medway with nothing real in them "
        f"({COUNTED_DAYS} days counted after {TRAINING_DAYS} that teach), and tripwires from {plan.tripwire_years} "
        "more years; streams.simulation's stated figures."
    )
    chosen = budget or Budget()
    profile = kent_profile()
    tripwires = calibrate_tripwires(
        _kent_observations(profile, seeds[plan.count_histories :]),
        _ground(profile),
        years_each=_TRIPWIRE_DAYS / 365.25,
        budget=chosen,
        note=note,
        progress=lambda years: tell(0.3 * years / plan.tripwire_years),
    )
    played: list[Played] = []
    with workers() as pool:
        for number, one in enumerate(pool.map(_play_kent, seeds[: plan.count_histories]), 1):
            played.append(one)
            tell(0.3 + 0.7 * number / plan.count_histories)
    counts = learn(played, budget=spend_whole(chosen, tripwires), seed=plan.seed, note=note)
    return Learnt(
        jurisdiction=KENT,
        counts=with_never_learnt(counts),
        tripwires=tripwires,
        fingerprint=fingerprint(),
    )


def fingerprint() -> str:
    """Return a hash of what the simulator and the detectors make of one fixed quarter.

    Thresholds learnt by a model with another fingerprint are stale, whatever its version says. Scores are rounded, so
    that another processor's last digits do not count.
    """
    profile = kent_profile()
    played = play(_null_history(profile, np.random.SeedSequence(1), TRAINING_DAYS + 91), setup_of(profile))
    scores = ",".join(
        f"{family} {score:.2f}"
        for family, tally in played.families.items()
        for score in tally.every.appearing
    )
    return hashlib.sha256(scores.encode()).hexdigest()[:16]


def spend_whole(budget: Budget, tripwires: TripwireThresholds) -> Budget:
    """Return the budget with the pages that the tripwires leave unspent given to the families that scores decide.

    A tripwire moves in whole people, so it can rarely spend its share exactly; a budget that is not spent is a detector
    deafer than people agreed to. The others share what is left in their own proportions. Of no pages nothing is left.
    """
    if budget.pages_per_year <= 0:
        return budget
    spends = {
        SCENE: tripwires.base_rate(SCENE).per_year(tripwires.scene_page),
        CONCURRENT: tripwires.base_rate(CONCURRENT).per_year(tripwires.concurrent_page),
        WATCH_LIST: budget.episodes_per_year(WATCH_LIST, Tier.PAGE),
    }
    shares = {family: pages / budget.pages_per_year for family, pages in spends.items()}
    left = max(1.0 - sum(shares.values()), 0.0)
    others = {family: share for family, share in budget.page_shares.items() if family not in spends}
    whole = sum(others.values())
    shares |= {family: left * share / whole for family, share in others.items() if whole > 0}
    return budget.model_copy(update={"page_shares": shares})


def _ground(profile: JurisdictionProfile) -> Ground:
    geography = profile.geography
    return Ground(
        root=geography.root,
        adjacency={code: frozenset(geography.adjacent(code)) for code in geography.detection_areas()},
        small_areas=_small_areas(profile),
    )


def kent_profile() -> JurisdictionProfile:
    """Return Kent and Medway as it comes with Tocsin."""
    return JurisdictionProfile(KENT, "Kent and Medway", load_kent_and_medway())


def workers() -> ProcessPoolExecutor:
    """Return a pool of spawned processes: numerics and fork do not go together."""
    return ProcessPoolExecutor(
        max_workers=min(os.cpu_count() or 1, 8), mp_context=multiprocessing.get_context("spawn")
    )


def _play_kent(seed: np.random.SeedSequence) -> Played:
    profile = kent_profile()
    return play(_null_history(profile, seed, TRAINING_DAYS + COUNTED_DAYS), setup_of(profile))


def _null_history(profile: JurisdictionProfile, seed: np.random.SeedSequence, days: int) -> NullHistory:
    history = _kent_history(profile, seed, days)
    counts = occurrences(history, profile.geography.detection_areas(), series_of(list(Feed)))
    return NullHistory(counts, sightings(history, terrain_of(profile.geography)))


def _kent_history(profile: JurisdictionProfile, seed: np.random.SeedSequence, days: int) -> History:
    places = places_from(profile.geography, KENT, KENT_HOSPITALS)
    return draw_history(KENT_AND_MEDWAY, places, _FIRST_DAY, days, np.random.default_rng(seed))


def _kent_observations(
    profile: JurisdictionProfile, seeds: list[np.random.SeedSequence]
) -> Iterator[Iterator[Observation]]:
    for seed in seeds:
        yield observations(_kent_history(profile, seed, _TRIPWIRE_DAYS), profile.geography.root)


def _small_areas(profile: JurisdictionProfile) -> Mapping[AreaCode, int]:
    geography = profile.geography
    found = dict.fromkeys(geography.detection_areas(), 0)
    for code in geography.areas:
        above = geography.detection_area_of(code)
        if above is not None and not geography.children(code):
            found[above] += 1
    return {code: max(number, 1) for code, number in found.items()}


def main() -> None:
    """Learn Kent and Medway's thresholds again and rewrite the file that comes with the package."""
    path = Path(__file__).parent / "calibrations" / f"{KENT}.json"
    with show_progress("Calibrating Kent and Medway", 1.0) as tell:
        learnt = calibrate_kent(Plan(), progress=tell)
    path.write_text(learnt.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for family, found in learnt.counts.families.items():
        for tier, one in found.learnt.items():
            print(  # noqa: T201 (a script talks by printing)
                f"{family} {tier}: nominal {one.nominal_per_year:.2f} a year, realised {one.realised_per_year:.2f} "
                f"+- {one.standard_error:.2f}, from score {found.scores[tier]:.2f}"
            )
    together = learnt.counts.pages_together
    if together is not None:
        print(  # noqa: T201
            f"pages together, merged: nominal {together.nominal_per_year:.2f} a year, realised "
            f"{together.realised_per_year:.2f} +- {together.standard_error:.2f}; shares grown by "
            f"{learnt.counts.page_growth:.2f}"
        )
    tripwires = learnt.tripwires
    print(  # noqa: T201
        f"tripwires: scene pages from {tripwires.scene_page} people, concurrent from {tripwires.concurrent_page} "
        f"warnings, watch list from {min(one.watch_list_page or 0 for one in tripwires.areas.values())} to "
        f"{tripwires.watch_list_page} people"
    )
    print(f"Wrote {path.name}.")  # noqa: T201


if __name__ == "__main__":
    main()
