"""A backtest's report as one HTML page: its figures, its pictures, and how it was done.

Made from the document of ``tocsin/backtest.py`` alone: the same document gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tocsin import backtest_charts
from tocsin.explaining_counts import expected_words
from tocsin.explaining_words import class_words, feed_words
from tocsin.report_pages import inline, page


def report_page(content: Mapping[str, Any]) -> str:
    """Return the report as one page."""
    return (
        page(
            "backtest.html",
            {"content": content},
            summary=list(summary(content)),
            budget_rows=list(budget_rows(content)),
            label_rows=list(label_rows(content)),
            page_rows=list(page_rows(content)),
            feed_rows=list(feed_rows(content)),
            learnt_rows=list(learnt_rows(content)),
            record_rows=list(record_rows(content)),
            budgets_words=[f"budget {one['pages_per_year']:g}" for one in content["budgets"]],
            pictures=_pictures(content),
        )
        + "\n"
    )


def _pictures(content: Mapping[str, Any]) -> dict[str, Markup | None]:
    return {
        "budgets": inline(backtest_charts.budgets(content), "Pages a year at each budget"),
        "weeks": inline(backtest_charts.weeks(content), "Weekly counts and pages")
        if content["weekly"]
        else None,
        "delays": inline(backtest_charts.delays(content), "Delays") if content["labels"] else None,
        "feeds": inline(backtest_charts.feeds(content), "What each feed added")
        if content["leave_one_out"]
        else None,
    }


def summary(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what came out, in a few sentences: for the top of the page and for the terminal."""
    period = content["period"]
    yield (
        f"{content['name']}, {period['first']} to {period['last']} ({period['years']:.1f} years), each day looked at "
        f"again with what was known at its end; {len(content['feeds'])} "
        f"{'feed' if len(content['feeds']) == 1 else 'feeds'}: {', '.join(map(feed_words, content['feeds']))}."
    )
    for one in content["budgets"]:
        found = (
            f", {one['labels_found']} of {one['labels']} labelled outbreaks found" if one["labels"] else ""
        )
        delay = one["median_delay_days"]
        late = f" (median delay {delay:g} days)" if delay is not None else ""
        yield (
            f"Budget {one['pages_per_year']:g} a year: {one['episodes']} {_pages(one['episodes'])}, "
            f"{one['unlabelled']} of them unlabelled "
            f"({one['unlabelled_per_year']:.1f} +- {one['standard_error']:.1f} a year){found}{late}."
        )
    yield "What is not labelled is not proved false: somebody may only have to look it up."


def _pages(number: int) -> str:
    return "page" if number == 1 else "pages"


def budget_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield a line for each budget, and one for the reviews."""
    for one in content["budgets"]:
        families = ", ".join(f"{name} {count}" for name, count in one["by_family"].items())
        allowed = ", ".join(f"{name} {rate:.2g}" for name, rate in one["allowed_by_family"].items())
        yield (f"{one['pages_per_year']:g}", *_rates(one), families or "-", allowed)
    yield ("reviews", *_rates(content["reviews"]), "", "")


def _rates(one: Mapping[str, Any]) -> tuple[object, ...]:
    delay = one["median_delay_days"]
    return (
        one["episodes"],
        one["labelled"],
        one["unlabelled"],
        f"{one['unlabelled_per_year']:.2f} +- {one['standard_error']:.2f}",
        f"{one['labels_found']} of {one['labels']}" if one["labels"] else "-",
        f"{delay:g}" if delay is not None else "-",
    )


def label_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield a line for each label: its delay at each budget, and of a review."""
    for label in content["labels"]:
        yield (
            label["name"],
            f"{label['start']} to {label['end']}",
            label["place"],
            class_words(label["substance_class"]),
            *(_delay(one) for one in label["pages"]),
            _delay(label["review"]),
        )


def _delay(one: Mapping[str, Any]) -> str:
    if one["delay_days"] is None:
        return "missed"
    return f"day {one['delay_days']} ({one['by']})"


def page_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield a line for each page of the largest budget."""
    for one in content["pages"]:
        yield (
            one["day"],
            f"{one['from_budget']:g}",
            one["place"],
            ", ".join(map(feed_words, one["feeds"])),
            class_words(one["substance_class"]),
            one["observed"],
            expected_words(one["expected"]),
            ", ".join(one["families"]),
            ", ".join(one["labels"] or ["unlabelled", *(f"later: {name}" for name in one["later_labels"])]),
        )


def feed_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield a line for each feed: what was lost without it."""
    for one in content["leave_one_out"]:
        earlier = [item["days"] for item in one["days_earlier"] if item["days"]]
        yield (
            feed_words(one["feed"]),
            f"{one['labels_found_with']} / {one['labels_found_without']}",
            ", ".join(one["only_with_it"]) or "-",
            sum(earlier) if earlier else 0,
            f"{one['unlabelled_with']} / {one['unlabelled_without']}",
        )


def record_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield what became of the records, a name and a value each."""
    for name, value in content["records"].items():
        yield name.replace("_", " "), _plain(value)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def learnt_rows(content: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    """Yield a line for each family and tier: nominal beside realised in the simulated histories."""
    for name, tiers in content["thresholds"]["learnt"].items():
        for tier, one in tiers.items():
            yield (
                name,
                tier,
                f"{one['nominal_per_year']:.2f}",
                f"{one['realised_per_year']:.2f}",
                f"{one['standard_error']:.2f}",
            )
