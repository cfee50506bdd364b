"""Small numbers cannot leave: by printing, by adding and subtracting, or by watching what changes."""

import copy
import json
import pickle
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.authorise import MATRIX, Action, Authentication, Forbidden, Principal, Role
from schemas.disclosure import (
    CountBand,
    EventCount,
    Published,
    Rarity,
    Scope,
    exact,
    publish,
    publish_set,
    strip_gives_away,
    window_words,
)
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction

KENT = Jurisdiction("kent-and-medway")
ELSEWHERE = Jurisdiction("elsewhere")
DAY = date(2018, 1, 22)


def count(figure: int) -> EventCount:
    return EventCount(figure, KENT)


def somebody(role: Role, by: Authentication = Authentication.SESSION) -> Principal:
    return Principal(person="asha", authenticated_by=by, roles={KENT: frozenset({role})})


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (0, "none"),
        (1, "fewer than 8"),
        (7, "fewer than 8"),
        (8, "about 10"),
        (12, "about 10"),
        (13, "about 15"),
        (101, "about 100"),
    ],
)
def test_a_count_prints_as_none_fewer_than_eight_or_rounded_to_five(figure: int, words: str) -> None:
    assert str(count(figure)) == words


@given(st.integers(1, 7), st.sampled_from(["", "d", ">5", ".2f", "x"]))
def test_however_it_is_formatted_a_small_count_prints_the_same(figure: int, specification: str) -> None:
    one = count(figure)
    shown = {
        str(one),
        format(one, specification),
        f"{one}",
        "%s" % one,  # noqa: UP031 (an old way to print is a way to print)
        "{}".format(one),  # noqa: UP032 (as above)
    }
    assert shown == {"fewer than 8"}
    assert repr([one]) == "[EventCount(fewer than 8)]"


def test_arithmetic_with_a_count_is_refused() -> None:
    for attempt in (
        lambda: count(3) + 1,  # type: ignore[operator]
        lambda: sum([count(3)]),  # type: ignore[list-item]
        lambda: int(count(3)),  # type: ignore[call-overload]
        lambda: count(3) < count(4),  # type: ignore[operator]
        lambda: json.dumps(count(3)),
        lambda: pickle.dumps(count(3)),
        lambda: [0] * count(3),  # type: ignore[operator]
    ):
        with pytest.raises(TypeError):
            attempt()


def test_a_model_that_holds_a_count_writes_its_safe_words() -> None:
    class Holder(BaseModel):
        seen: EventCount

    holder = Holder(seen=count(3))
    assert holder.model_dump_json() == '{"seen":"fewer than 8"}'
    assert copy.deepcopy(holder) == holder
    assert "3" not in repr(holder)


def test_only_whole_numbers_from_nothing_up_are_counts() -> None:
    for figure in (-1, 2.0, True, "3"):
        with pytest.raises(ValueError, match="whole number"):
            EventCount(figure, KENT)  # type: ignore[arg-type]


@pytest.mark.parametrize(("role", "by"), list(product(Role, Authentication)))
def test_the_figure_is_for_roles_that_may_see_it_and_never_by_a_link_from_a_message(
    role: Role, by: Authentication
) -> None:
    if Action.SEE_FIGURES in MATRIX[role] and by is not Authentication.EMAIL_LINK:
        assert exact(count(3), somebody(role, by)) == 3
    else:
        with pytest.raises(Forbidden):
            exact(count(3), somebody(role, by))


def test_a_role_in_one_jurisdiction_shows_no_figure_of_another() -> None:
    with pytest.raises(Forbidden):
        exact(EventCount(3, ELSEWHERE), somebody(Role.COORDINATOR))


@given(st.floats(0.1, 1e6))
def test_rarity_is_one_of_three_bands(days: float) -> None:
    expected = Rarity.RARE if days >= 365 else Rarity.UNCOMMON if days >= 30 else Rarity.COMMON
    assert Rarity.of(days) is expected


def test_a_window_is_told_to_the_hour_while_it_runs_and_by_its_last_day_afterwards() -> None:
    now = datetime(2018, 1, 27, 2, 14, tzinfo=UTC)
    assert window_words(date(2018, 1, 26), date(2018, 1, 27), now) == "in the 2 days to Sat 02:00"
    assert window_words(date(2018, 1, 22), date(2018, 1, 22), now) == "in the day to Mon 22 Jan 2018"


# Several counts and their total


def ranges(words: str) -> range:
    """The figures that a reader must think possible."""
    if words == "none":
        return range(1)
    if words == "fewer than 8":
        return range(1, 8)
    if words == "not shown":
        return range(400)
    middle = int(words.removeprefix("about "))
    return range(max(8, middle - 2), middle + 3)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_with_a_total_beside_them_suppressed_cells_stay_anything_from_one_to_seven(
    figures: list[int],
) -> None:
    shown = publish_set({n: count(figure) for n, figure in enumerate(figures)}, total=count(sum(figures)))
    possible = {n: ranges(words) for n, words in shown.cells.items()}
    total = ranges(shown.total)
    for n, words in shown.cells.items():
        assert figures[n] in possible[n]
        if words != "fewer than 8":
            continue
        others = [possible[m] for m in possible if m != n]
        low = sum(other.start for other in others)
        high = sum(other.stop - 1 for other in others)
        for figure in range(1, 8):
            assert total.start <= figure + high, (shown, figure)
            assert figure + low <= total.stop - 1, (shown, figure)


def test_a_single_small_cell_beside_its_total_takes_the_total_or_another_cell_with_it() -> None:
    shown = publish_set({"a": count(7), "b": count(7), "c": count(7)}, total=count(21))
    assert shown.total == "not shown"
    shown = publish_set({"a": count(3), "b": count(0)}, total=count(3))
    assert shown.total == "fewer than 8"


def test_a_small_total_is_not_shown_beside_several_small_cells() -> None:
    # Seven cells under a total below eight would each be known to be one.
    shown = publish_set({n: count(1) for n in range(7)}, total=count(7))
    assert set(shown.cells.values()) == {"fewer than 8"}
    assert shown.total == "not shown"


# One count after another


def scope(start: int, end: int, areas: str = "a") -> Scope:
    codes = frozenset(AreaCode(code) for code in areas)
    return Scope(
        Feed.AMBULANCE_NALOXONE,
        SubstanceClass.ANY,
        codes,
        DAY + timedelta(days=start),
        DAY + timedelta(days=end),
    )


def test_on_one_day_the_same_scope_keeps_its_words() -> None:
    first = publish(count(7), scope(0, 1), DAY, [])
    assert first is not None
    again = publish(count(8), scope(0, 1), DAY, [first])
    assert again is first
    tomorrow = publish(count(8), scope(0, 1), DAY + timedelta(days=1), [first])
    assert tomorrow is not None
    assert tomorrow.words == "about 10"


def test_what_was_said_of_a_whole_is_not_completed_by_saying_a_part() -> None:
    # Eighteen in both areas was said exactly; "about 15" in one would place the other within 1 to 5.
    both = Published(scope(0, 0, "ab"), 18, 18, DAY)
    assert publish(count(13), scope(0, 0, "a"), DAY, [both]) is None
    # With forty in both, the other is no small number.
    assert publish(count(13), scope(0, 0, "a"), DAY, [Published(both.scope, 40, 40, DAY)]) is not None


def test_what_was_said_of_a_part_is_not_completed_by_saying_the_whole() -> None:
    nine = Published(scope(0, 0), 9, 9, DAY)
    assert publish(count(13), scope(0, 1), DAY, [nine]) is not None  # 4 to 8 more: as wide as it must be
    ten = Published(scope(0, 0), 10, 10, DAY)
    assert publish(count(13), scope(0, 1), DAY, [ten]) is None  # 3 to 7 more


@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=6),
)
def test_no_two_statements_about_nested_windows_place_the_rest_more_closely_than_one_to_seven(
    daily: list[int], windows: list[tuple[int, int]]
) -> None:
    said: list[Published] = []
    for number, (start, end) in enumerate(windows):
        assume(start <= end < len(daily))
        made = publish(
            count(sum(daily[start : end + 1])), scope(start, end), DAY + timedelta(days=number), said
        )
        if made is not None:
            said.append(made)
    for whole, part in product(said, said):
        if whole.scope == part.scope or not whole.scope.holds(part.scope):
            continue
        low, high = whole.low - part.high, whole.high - part.low
        assert not (low >= 1 and high <= 7 and (low, high) != (1, 7)), (whole, part)


@pytest.mark.parametrize(
    ("days", "total", "gives_away"),
    [
        ([1] * 7, 7, True),
        ([2, 3], 5, False),
        ([1, 0, 0], 1, False),
        ([2, 2, 1, 1], 6, True),
        ([7, 7], 14, True),  # "about 15": six or seven each
        ([5, 20], 25, False),
        ([0, 0], 0, False),
    ],
)
def test_a_strip_beside_its_total_leaves_five_figures_for_each_small_day(
    days: list[int], total: int, gives_away: bool
) -> None:
    assert strip_gives_away([count(day) for day in days], count(total)) is gives_away


@given(st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_what_a_strip_leaves_open_is_found_by_trying_every_day(days: list[int]) -> None:
    assume(any(1 <= day <= 7 for day in days))
    shown = [count(day) for day in days]
    low, high = min(ranges(str(count(sum(days))))), max(ranges(str(count(sum(days)))))
    bands = {CountBand.NONE: [0], CountBand.FEW: list(range(1, 8)), CountBand.MORE: list(range(8, high + 1))}
    fewest = 7
    for place, day in enumerate(shown):
        if day.band is CountBand.FEW:
            others = [bands[other.band] for number, other in enumerate(shown) if number != place]
            least, most = sum(min(one) for one in others), sum(max(one) for one in others)
            possible = [figure for figure in range(1, 8) if figure + most >= low and figure + least <= high]
            fewest = min(fewest, len(possible))
    assert strip_gives_away(shown, count(sum(days))) is (fewest < 5)


def test_bands_are_none_one_to_seven_and_more() -> None:
    assert [count(figure).band for figure in (0, 1, 7, 8)] == [
        CountBand.NONE,
        CountBand.FEW,
        CountBand.FEW,
        CountBand.MORE,
    ]
