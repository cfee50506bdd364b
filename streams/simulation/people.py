"""The people: how many are harmed, where, when, by what, and in which feeds each of them appears.

A person appears in feeds by stated probabilities, so the feeds are not independent. The probabilities follow from the
volumes of the feeds and from the overlap between them: :func:`people_rates` solves for them and the documentation
prints them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streams.simulation.parameters import PROFILES, HarmProfile, SimulationParameters
from streams.simulation.places import Places
from streams.simulation.timing import Days, Floats, Minutes, day_factors, draw_minutes

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PATTERNS: tuple[tuple[bool, bool, bool], ...] = (
    (True, False, False),
    (True, True, False),
    (False, True, False),
    (False, False, True),
    (True, False, True),
    (True, True, True),
)
"""(ambulance naloxone, A&E presentation, suspected death): the ways in which a person can be seen."""

UNKNOWN_HOME, NO_HOME, HOME_OUTSIDE = -1, -2, -3
"""In place of the index of a person's home: not recorded, of no fixed abode, outside the jurisdiction."""

_AREA_SHOCK_DAYS = 28
_MOST_AT_ED = 0.9
_MOST_DEAD = 0.5
_SAME_SCENE_MINUTES = 90


@dataclass(frozen=True, eq=False)
class People:
    """One row for each time that somebody was harmed."""

    minute: Minutes
    person: Indices
    scene: Indices
    place: Indices
    home: Indices
    profile: Indices
    pattern: Indices
    prison: Flags
    school: Flags


@dataclass(frozen=True)
class Levels:
    """What is drawn once for each history."""

    naloxone: float
    ed: float
    deaths: float
    samples: float
    overlap: float
    elsewhere: float


def draw_levels(parameters: SimulationParameters, rng: np.random.Generator) -> Levels:
    """Draw the volumes of the feeds (records a year) and the shares that stay the same within a history."""
    shared = float(rng.standard_normal()) * parameters.level_log_sd - parameters.level_log_sd**2 / 2

    def volume(per_year: float, log_sd: float) -> float:
        return per_year * float(np.exp(shared + float(rng.standard_normal()) * log_sd - log_sd**2 / 2))

    return Levels(
        naloxone=volume(parameters.naloxone.per_year, parameters.naloxone.level_log_sd),
        ed=volume(parameters.ed.per_year, parameters.ed.level_log_sd),
        deaths=volume(parameters.deaths.per_year, parameters.deaths.level_log_sd),
        samples=volume(parameters.samples.per_year, parameters.samples.level_log_sd),
        overlap=float(rng.uniform(*parameters.overlap)),
        elsewhere=float(rng.uniform(*parameters.residence_elsewhere)),
    )


def people_rates(parameters: SimulationParameters, levels: Levels) -> Floats:
    """Return people a year by profile (rows) and by the way they are seen (columns: :data:`PATTERNS`).

    For each profile: of its deaths, a stated share had naloxone; of its naloxone patients the overlap also present to
    A&E (never more than nine tenths of its presentations); the rest of each feed is seen in that feed alone.
    """
    rates = np.zeros((len(PROFILES), len(PATTERNS)))
    for row in range(len(PROFILES)):
        naloxone = levels.naloxone * parameters.naloxone.mix[row]
        ed = levels.ed * parameters.ed.mix[row]
        deaths = levels.deaths * parameters.deaths.mix[row]
        both = min(parameters.deaths_with_naloxone * deaths, _MOST_DEAD * naloxone)
        overlap = min(levels.overlap, _MOST_AT_ED * ed / naloxone) if naloxone > 0 else 0.0
        rates[row] = (
            (naloxone - both) * (1 - overlap),
            (naloxone - both) * overlap,
            ed - naloxone * overlap,
            deaths - both,
            both * (1 - overlap),
            both * overlap,
        )
    return rates


def appearance(parameters: SimulationParameters, levels: Levels) -> dict[HarmProfile, dict[str, float]]:
    """Return for each profile the probability that a harmed person appears in each feed (they may in several)."""
    rates = people_rates(parameters, levels)
    seen = np.array(PATTERNS, dtype=np.float64)
    return {
        profile: dict(
            zip(("naloxone", "ed", "death"), (rates[row] @ seen / rates[row].sum()).tolist(), strict=True)
        )
        for row, profile in enumerate(PROFILES)
    }


def draw_people(
    parameters: SimulationParameters, places: Places, days: Days, levels: Levels, rng: np.random.Generator
) -> People:
    """Draw everybody who is harmed in the history's days, in no particular order."""
    rates = _first_time_rates(parameters, people_rates(parameters, levels))
    factors = day_factors(parameters, days, rng)
    clump = _mean_clump(parameters.local_dispersion)
    per_happening = clump * (1 + parameters.scene_pair_share + 2.5 * parameters.scene_many_share)
    happenings = rng.poisson(rates.sum() / 365.25 / per_happening * factors)

    day = np.repeat(np.arange(days.n_days), happenings)
    weights = _place_weights(parameters, places, rng)
    area = _draw_areas(parameters, places, weights, day, rng)
    cell = rng.choice(rates.size, len(day), p=(rates / rates.sum()).ravel())
    profile = cell // len(PATTERNS)

    # People who are harmed alike in one area on one day: the same profile, places and hours of their own.
    members = _log_series(parameters.local_dispersion, len(day), rng)
    parent = np.repeat(np.arange(len(day)), members)
    day, area, profile = day[parent], area[parent], profile[parent]
    first_of_clump = np.r_[True, parent[1:] != parent[:-1]] if len(parent) else np.zeros(0, dtype=bool)
    own = _draw_patterns(rates, profile, rng)
    pattern = np.where(first_of_clump, (cell % len(PATTERNS))[parent], own)
    place = _draw_places(places, weights, area, rng)
    minute = draw_minutes(parameters, days, day, rng)
    scene = np.arange(len(day))

    # Further casualties at the same scene, within an hour and a half.
    drawn = rng.random(len(day))
    further = np.where(drawn < parameters.scene_many_share, rng.integers(2, 4, len(day)), 0)
    further = np.where(
        (drawn >= parameters.scene_many_share)
        & (drawn < parameters.scene_many_share + parameters.scene_pair_share),
        1,
        further,
    )
    with_scene = np.repeat(np.arange(len(day)), 1 + further)
    later = np.r_[False, with_scene[1:] == with_scene[:-1]] if len(with_scene) else np.zeros(0, dtype=bool)
    day, place, profile, scene = (item[with_scene] for item in (day, place, profile, scene))
    minute = minute[with_scene] + np.where(later, rng.integers(0, _SAME_SCENE_MINUTES, len(with_scene)), 0)
    pattern = np.where(later, _draw_patterns(rates, profile, rng), pattern[with_scene])

    kind = rng.random(len(day))
    people = People(
        minute=minute,
        person=np.arange(len(day)),
        scene=scene,
        place=place,
        home=draw_homes(parameters, places, weights, place, levels, rng),
        profile=profile,
        pattern=pattern,
        prison=kind < parameters.prison_share,
        school=(kind >= parameters.prison_share) & (kind < parameters.prison_share + parameters.school_share),
    )
    return _with_repeats(parameters, rates, people, days, rng)


def _first_time_rates(parameters: SimulationParameters, rates: Floats) -> Floats:
    """Return the rates without the further happenings of the same people, which nobody has after death."""
    dead = np.array([item[2] for item in PATTERNS])
    alive_share = rates[:, ~dead].sum(axis=1, keepdims=True) / rates.sum(axis=1, keepdims=True)
    further = parameters.repeat_share * parameters.repeat_mean_calls * alive_share
    first: Floats = np.where(dead, rates, rates / (1 + further))
    return first


def _mean_clump(dispersion: float) -> float:
    """Mean of the logarithmic series by which Poisson clumps give a negative binomial of that dispersion."""
    if dispersion <= 1:
        return 1.0
    return float((dispersion - 1) / np.log(dispersion))


def _log_series(dispersion: float, count: int, rng: np.random.Generator) -> Indices:
    if dispersion <= 1:
        return np.ones(count, dtype=np.int64)
    return rng.logseries(1 - 1 / dispersion, count).astype(np.int64)


def _place_weights(parameters: SimulationParameters, places: Places, rng: np.random.Generator) -> Floats:
    """Draw how harm falls on the fine areas: by the areas' stated rates, and unequally within each area."""
    rate = np.array([parameters.area_rates.get(code, 1.0) for code in places.areas])
    within = places.population * rng.gamma(parameters.fine_area_shape, size=len(places.fine))
    population = np.bincount(places.area_of, weights=places.population, minlength=len(places.areas))
    held = np.bincount(places.area_of, weights=within, minlength=len(places.areas))
    share = rate * population / np.maximum(held, np.finfo(np.float64).tiny)
    weights: Floats = within * share[places.area_of]
    weights /= weights.sum()
    return weights


def _draw_areas(
    parameters: SimulationParameters, places: Places, weights: Floats, day: Indices, rng: np.random.Generator
) -> Indices:
    """Draw the detection area of each happening; each area has a shock of its own for four weeks."""
    share = np.bincount(places.area_of, weights=weights, minlength=len(places.areas))
    blocks = int(day[-1]) // _AREA_SHOCK_DAYS + 1 if len(day) else 0
    shock = np.exp(parameters.area_shock_sd * rng.standard_normal((blocks, len(places.areas))))
    cumulative = np.cumsum(share * shock, axis=1)
    drawn = rng.random(len(day))
    area = np.empty(len(day), dtype=np.int64)
    block_of = day // _AREA_SHOCK_DAYS
    starts = np.searchsorted(block_of, np.arange(blocks + 1))
    for block in range(blocks):
        span = slice(starts[block], starts[block + 1])
        area[span] = np.searchsorted(cumulative[block], drawn[span] * cumulative[block, -1], side="right")
    return np.minimum(area, len(places.areas) - 1)


def _draw_places(places: Places, weights: Floats, area: Indices, rng: np.random.Generator) -> Indices:
    """Draw a fine area within each given detection area."""
    order = np.argsort(places.area_of, kind="stable")
    cumulative = np.concatenate(([0.0], np.cumsum(weights[order])))
    bounds = np.searchsorted(places.area_of[order], np.arange(len(places.areas) + 1))
    low, high = cumulative[bounds[:-1]][area], cumulative[bounds[1:]][area]
    position = np.searchsorted(cumulative, low + rng.random(len(area)) * (high - low), side="right") - 1
    position = np.clip(position, bounds[:-1][area], bounds[1:][area] - 1)
    found: Indices = order[position]
    return found


def _draw_patterns(rates: Floats, profile: Indices, rng: np.random.Generator) -> Indices:
    cumulative = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    drawn = rng.random(len(profile))
    pattern: Indices = np.minimum((drawn[:, None] >= cumulative[profile]).sum(axis=1), len(PATTERNS) - 1)
    return pattern


def draw_homes(
    parameters: SimulationParameters,
    places: Places,
    weights: Floats,
    place: Indices,
    levels: Levels,
    rng: np.random.Generator,
) -> Indices:
    """Draw where each person lives: mostly where it happened, else another area (most often one beside it)."""
    area = places.area_of[place].astype(np.int64)
    near = places.neighbours()
    choice = rng.random(len(place))
    counts = np.array([len(item) for item in near])
    table = np.arange(len(near))[:, None] * np.ones(max(int(counts.max()), 1), dtype=np.int64)
    for here, item in enumerate(near):
        table[here, : len(item)] = item
    other = table[area, (choice * counts[area]).astype(np.int64)]
    moved = rng.random(len(place)) < levels.elsewhere
    same_fine = rng.random(len(place)) < 0.5  # noqa: PLR2004 (half of those harmed near home are at home)
    drawn = _draw_places(places, weights, np.where(moved, other, area), rng)
    home = np.where(~moved & same_fine, place, drawn)
    kind = rng.random(len(place))
    shares = np.cumsum(
        (parameters.residence_unknown, parameters.no_fixed_abode, parameters.residence_outside)
    )
    for code, low, high in zip(
        (UNKNOWN_HOME, NO_HOME, HOME_OUTSIDE), (0.0, *shares[:-1]), shares, strict=True
    ):
        home = np.where((kind >= low) & (kind < high), code, home)
    return home


def _with_repeats(
    parameters: SimulationParameters, rates: Floats, people: People, days: Days, rng: np.random.Generator
) -> People:
    """Add the further happenings of people who are harmed again within weeks; nobody is after death."""
    dead = np.array([item[2] for item in PATTERNS])[people.pattern]
    again = (rng.random(len(people.minute)) < parameters.repeat_share) & ~dead
    source = np.flatnonzero(again)
    calls = rng.geometric(1 / max(parameters.repeat_mean_calls, 1.0), len(source))
    who = np.repeat(source, calls)
    gap = rng.exponential(parameters.repeat_mean_days * 1440, len(who)).astype(np.int64)
    # Waits add up along one person's calls.
    total = np.cumsum(gap)
    before = np.concatenate(([0], np.cumsum(calls)))[:-1]
    gap = total - np.repeat(np.concatenate(([0], total))[before], calls)
    minute = people.minute[who] + gap
    inside = minute < days.start[-1]
    who, minute = who[inside], minute[inside]
    pattern = _draw_patterns(rates, people.profile[who], rng)
    alive = ~np.array([item[2] for item in PATTERNS])[pattern]
    who, minute, pattern = who[alive], minute[alive], pattern[alive]
    new_scene = len(people.minute) + np.arange(len(who))
    return People(
        minute=np.concatenate((people.minute, minute)),
        person=np.concatenate((people.person, people.person[who])),
        scene=np.concatenate((people.scene, new_scene)),
        place=np.concatenate((people.place, people.place[who])),
        home=np.concatenate((people.home, people.home[who])),
        profile=np.concatenate((people.profile, people.profile[who])),
        pattern=np.concatenate((people.pattern, pattern)),
        prison=np.concatenate((people.prison, people.prison[who])),
        school=np.concatenate((people.school, people.school[who])),
    )
