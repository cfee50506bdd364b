"""ST: how soon a cluster in space and time is found, at one alarm-day a year (A5), and with several streams (A6).

245 north-east counties, 20 cases a day, outbreaks in 1, 4 and 16 of them. The family is single areas and circles
under one threshold. Days are counted from 1, the outbreak's first day, and a miss counts 14; thresholds come
from quiet histories, and what they give on fresh ones stands beside.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks import known_data
from benchmarks.results import Figure
from benchmarks.space_time_methods import Method, Outcome, Threshold, judge, learn, methods
from benchmarks.space_time_world import World, trials

TRIALS, HISTORIES = 1_000, 200
AREAS, STRENGTHS = (1, 4, 16), (1.0, 2.0, 3.0)

ONE_STREAM = {1: (7.9, 0.80, "8.0"), 4: (10.0, 0.75, "10.1"), 16: (8.9, 0.65, "9.1")}
"""Areas: most days at strength 2, least overlap, and Kulldorff's days as they are quoted."""

SEVERAL = {2: {1: 5.2, 4: 6.3, 16: 4.7}, 4: {1: 3.0, 4: 3.1, 16: 2.6}}
"""Streams and areas: most days at strength 2, within two standard errors."""


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Learn thresholds, then judge every cell; ``runs`` is the number of outbreaks in each."""
    if not known_data.present():
        return [], "The shared data is not beside the checkout."
    rng = np.random.default_rng(seed)
    count = runs or TRIALS
    histories = HISTORIES if count >= TRIALS else max(20, HISTORIES * count // TRIALS)
    figures: list[Figure] = []
    for law, dispersion in (("Poisson", 1.0), ("NB 1.5", 1.5)):
        world = World.of(dispersion)
        learnt = _learnt(world, rng, histories, 1)
        figures.append(_false_alarms(f"{law}, one stream", learnt))
        for areas in AREAS:
            for strength in STRENGTHS:
                given = trials(world, rng, count, areas=areas, strength=strength, streams=1)
                outcomes = {method.name: judge(method, threshold, given) for method, threshold in learnt}
                figures.append(_one_stream(law, areas, strength, outcomes))
                if areas == 1 and strength == 2.0:
                    figures.append(_paired(law, outcomes["family"], outcomes["Kulldorff"]))
    world = World.of(1.0)
    for streams, wanted in SEVERAL.items():
        learnt = _learnt(world, rng, histories, streams)
        figures.append(_false_alarms(f"Poisson, {streams} streams", learnt))
        for areas, most in wanted.items():
            given = trials(world, rng, count, areas=areas, strength=2.0, streams=streams)
            outcomes = {method.name: judge(method, threshold, given) for method, threshold in learnt}
            figures.append(_streams(streams, areas, most, outcomes))
    return figures, (
        f"{count:,} outbreaks a cell; thresholds from {histories} quiet histories of 180 days, looked at from day 90 on. "
        "Overlap is Jaccard's on the day of the alarm. 'From 0': the first day counted as 0, a miss still as 14."
    )


def _learnt(
    world: World, rng: np.random.Generator, histories: int, streams: int
) -> list[tuple[Method, Threshold]]:
    return [(one, learn(one, world, rng, histories, streams)) for one in methods(world, streams)]


def _false_alarms(what: str, learnt: Sequence[tuple[Method, Threshold]]) -> Figure:
    told = [
        f"{method.name} {threshold.alarm_days:.2f} days, {threshold.episodes:.2f} episodes"
        for method, threshold in learnt
    ]
    realised = learnt[0][1].alarm_days
    return Figure(
        f"{what}: false alarms a year on fresh histories",
        told[0],
        "1 alarm-day, within a factor 1.5",
        1 / 1.5 <= realised <= 1.5,
        "; ".join(told[1:]),
    )


def _days(outcome: Outcome) -> str:
    error = float(outcome.days.std()) / len(outcome.days) ** 0.5
    return f"{outcome.days.mean():.2f} days (SE {error:.2f}; from 0: {outcome.days_from_zero.mean():.2f})"


def _one_stream(law: str, areas: int, strength: float, outcomes: Mapping[str, Outcome]) -> Figure:
    ours = outcomes["family"]
    most, least, quoted = ONE_STREAM[areas]
    overlap = float(np.nanmean(ours.overlap)) if not ours.missed.all() else 0.0
    best = float(np.nanmean(ours.overlap_best)) if not ours.missed.all() else 0.0
    others = [f"{name} {_days(one)}" for name, one in outcomes.items() if name != "family"]
    aimed = strength == 2.0
    target = f"{most} days (Poisson), overlap {least:.2f}" if aimed else ""
    met = (law != "Poisson" or ours.days.mean() <= most) and overlap >= least if aimed else None
    return Figure(
        f"{law}, {areas} {'county' if areas == 1 else 'counties'}, strength {strength:g}",
        f"{_days(ours)}, {ours.missed.mean():.1%} missed, overlap {overlap:.2f} (highest score {best:.2f})",
        target,
        None if met is None else bool(met),
        "; ".join(others) + (f"; Kulldorff quoted {quoted}" if aimed and law == "Poisson" else ""),
    )


def _paired(law: str, ours: Outcome, theirs: Outcome) -> Figure:
    gain = theirs.days - ours.days
    error = float(gain.std()) / len(gain) ** 0.5
    return Figure(
        f"{law}, 1 county, strength 2: days sooner than Kulldorff, the same outbreaks",
        f"{gain.mean():.2f} (SE {error:.2f})",
        "above 0",
        bool(gain.mean() > 2 * error),
    )


def _streams(streams: int, areas: int, most: float, outcomes: Mapping[str, Outcome]) -> Figure:
    ours = outcomes["family"]
    error = float(ours.days.std()) / len(ours.days) ** 0.5
    others = [f"{name} {_days(one)}" for name, one in outcomes.items() if name != "family"]
    return Figure(
        f"{streams} streams, {areas} {'county' if areas == 1 else 'counties'}, strength 2",
        f"{_days(ours)}, {ours.missed.mean():.1%} missed, overlap {np.nanmean(ours.overlap):.2f}",
        f"{most} days, within 2 SE",
        bool(ours.days.mean() <= most + 2 * error),
        "; ".join(others),
    )
