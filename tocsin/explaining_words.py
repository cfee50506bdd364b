"""An explanation in words: plain lines and tables for a terminal, from the document of ``tocsin/explaining.py``.

Everything it prints is inside: true numbers for a person with access to the host.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tocsin.explaining_counts import Json, expected_words
from tocsin.report import FEED_WORDS, rarity_words

_STRIP_DAYS = 28
_MOST_DIGIT = 9
_EVIDENCE_SHOWN = 20

Table = tuple[str, Sequence[str], list[Sequence[object]]]
"""A title, headings and rows."""


def feed_words(feed: str) -> str:
    """Return what people call a feed."""
    return next((words for known, words in FEED_WORDS.items() if known.value == feed), feed)


def class_words(name: str) -> str:
    """Return what people call a substance class."""
    return "all substances" if name == "any" else name.replace("_", " ")


def headline(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the signal says, in a few lines."""
    signal = document["signal"]
    yield f"Signal {document['id']}  {document['name']}"
    yield signal["sentence"]
    low, high = signal["interval"]
    yield (
        f"Tier {signal['tier']}. Observed {signal['observed']}, expected {expected_words(signal['expected'])} "
        f"(chance alone: {low:.0f} to {high:.0f} in 95 of 100 such windows), p = {signal['p_value']:.3g}; "
        f"by chance {rarity_words(signal['recurrence_interval_days'])} in {document['place']} or anywhere else here."
    )
    again = document.get("recomputed")
    if again is not None:
        yield ("EQUAL: " if again["equal"] else "NOT EQUAL: ") + again["note"]
        for one in again["differences"]:
            yield f"  {one['what']}: stored {one['stored']}, now {one['recomputed']}"


def strip(days: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the last four weeks as two lines of signs: the count of each day, and which days the signal is about."""
    shown = days[-_STRIP_DAYS:]
    signs = [
        "." if not one["count"] else str(one["count"]) if one["count"] <= _MOST_DIGIT else "+"
        for one in shown
    ]
    yield f"{shown[0]['day']}  {' '.join(signs)}  {shown[-1]['day']}"
    marks = " ".join("^" if one["in_window"] else " " for one in shown)
    yield f"{'':10}  {marks}".rstrip()


def threshold_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the score lies among the thresholds, and how they were learnt."""
    scores = ", ".join(f"{tier} from {score:.2f}" for tier, score in reversed(told["scores"].items()))
    if told["score"] is None:
        yield f"Family {told['family']}: {scores or 'no thresholds'}; this signal carries no score."
    else:
        reached = told["reached"] or "nothing"
        yield f"Family {told['family']}: {scores or 'no thresholds'}. The score {told['score']:.2f} reaches {reached}."
    if told["held_from"]:
        yield f"It was held back from {told['held_from']} to {told['told']}; the sentence says why."
    if told["years"]:
        yield f"Learnt from {told['years']:.0f} simulated years (seed {told['seed']}). {told['note']}"
    else:
        yield told["note"] or "These thresholds were stated and not learnt."
    for tier, one in reversed(told["learnt"].items()):
        yield (
            f"  {tier}: nominal {one['nominal_per_year']:.2f} false episodes a year, realised "
            f"{one['realised_per_year']:.2f} +- {one['standard_error']:.2f}"
            + (
                "; fewer than allowed, because lower scores only join the same episodes"
                if one["limited_by_merging"]
                else ""
            )
        )


def rule_lines(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield a tripwire's rule, what it was compared with, and its base rate."""
    needed = f"; it pages from {rule['pages_from']}" if rule["pages_from"] else "; it never pages by itself"
    yield f"Rule {rule['family']} ({rule['kind']}): {rule['people']} within {rule['hours']:g} hours{needed}."
    yield (
        "Thresholds: "
        + ", ".join(f"{name} {value:g}" for name, value in sorted(rule["limits"].items()))
        + "."
    )
    base = rule["base_rate"]
    if base["years"]:
        yield (
            f"Base rate: {base['episodes_at_or_above']} episodes of score {rule['score']:g} or more in "
            f"{base['years']:.0f} simulated years, so about {base['per_year']:.2g} a year."
        )
    else:
        yield "Base rate: not learnt yet; the thresholds are the stated prior."
    if rule["note"]:
        yield rule["note"]


def history_lines(history: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the baseline of one feed was learnt from."""
    low, high = history["level_interval"]
    if history["training_days"]:
        taught = (
            f"{history['training_days']} days teach ({history['training_first_day']} to "
            f"{history['training_last_day']}), the level from {history['level_since']} on"
        )
    else:
        taught = "no day teaches yet"
    yield f"{history['history_days']} days of history; {taught}; baseline known until {history['known_until']}."
    yield (
        f"Level of the jurisdiction {history['level_per_day']:.3g} a day ({low:.3g} to {high:.3g}), of which "
        f"{100 * history['share_of_jurisdiction']:.3g} % here; memory (half-life) {history['half_life_weeks']:.3g} "
        f"weeks; variance {history['dispersion']:.3g} times the mean."
    )
    known = ", ".join(
        f"day {age} {100 * share:.0f} %" for age, share in enumerate(history["completeness"][:8])
    )
    more = " ..." if len(history["completeness"]) > 8 else ""  # noqa: PLR2004 (a line is short)
    reach = history["first_useful_age"]
    yield f"Known by the end of {known}{more}; windows reach back {reach} days more than their length."
    weekly = " ".join(str(one["count"]) for one in history["weekly"])
    yield f"Weekly counts here, oldest first: {weekly or 'none'}"


def tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the tables of an explanation: windows of each feed, the alternatives, the evidence."""
    for feed in document.get("feeds", ()):
        yield _windows(feed)
    if others := document.get("alternatives"):
        rows: list[Sequence[object]] = [
            (
                "this" if one["is_this_signal"] else "",
                one["place"],
                feed_words(one["feed"]),
                class_words(one["substance_class"]),
                one["window_days"],
                one["observed"],
                expected_words(one["expected"]),
                f"{one['p_value']:.2g}",
                f"{one['score']:.2f}",
            )
            for one in others
        ]
        headings = ("", "place", "feed", "class", "days", "observed", "expected", "p", "score")
        yield "What the counts of that day said, here and elsewhere", headings, rows
    if extra := _parameters(document["signal"]):
        yield "What the detector noted", ("name", "value"), extra
    evidence = document["evidence"]
    title = f"Evidence: {len(evidence)} events"
    if len(evidence) > _EVIDENCE_SHOWN:
        title += f", the first {_EVIDENCE_SHOWN}"
    yield (
        title,
        ("identity", "feed", "area", "happened", "known", "classes", "live"),
        [
            (
                one["identity"],
                feed_words(one["feed"]),
                one["area"],
                one["occurred_at"],
                one["known_at"],
                [class_words(name) for name in one["classes"]],
                one["live"],
            )
            for one in evidence[:_EVIDENCE_SHOWN]
        ],
    )


def _windows(feed: Json) -> Table:
    rows: list[Sequence[object]] = [
        (
            "won" if one["won"] else "",
            one["days"],
            one["first_day"],
            one["observed"],
            expected_words(one["expected"]),
            f"{one['interval'][0]:.0f} to {one['interval'][1]:.0f}",
            f"{one['p_value']:.2g}",
            f"{one['score']:.2f}",
        )
        for one in feed["windows"]
    ]
    headings = ("", "days", "from", "observed", "expected", "by chance", "p", "score")
    title = f"Windows of {feed_words(feed['feed'])}, {class_words(feed['class_shown'])}, in these areas"
    return title, headings, rows


def _parameters(signal: Mapping[str, Any]) -> list[Sequence[object]]:
    return [(name, value) for name, value in sorted(signal["parameters"].items())]
