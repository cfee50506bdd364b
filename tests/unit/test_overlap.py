"""When two findings are about the same thing."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.geography import AreaCode
from schemas.overlap import areas_overlap, classes_overlap, days_overlap
from schemas.substances import SubstanceClass

ROOT = AreaCode("root")
DAY = date(2018, 1, 22)
classes = st.sampled_from(SubstanceClass)
codes = st.frozensets(st.sampled_from([AreaCode(name) for name in ("a", "b", "c", "root")]))
windows = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(
    lambda pair: (DAY + timedelta(days=pair[0]), DAY + timedelta(days=sum(pair)))
)


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ("nitazene", "nitazene", True),
        ("nitazene", "unknown_opioid", True),
        ("pharmaceutical_opioid", "unknown_opioid", True),
        ("stimulant", "unknown_opioid", False),
        ("stimulant", "unknown", True),
        ("stimulant", "any", True),
        ("nitazene", "fentanyl", False),
        ("benzodiazepine", "novel_benzodiazepine", False),
    ],
)
def test_classes_that_may_be_the_same_drug_overlap(a: str, b: str, overlap: bool) -> None:
    assert classes_overlap(SubstanceClass(a), SubstanceClass(b)) is overlap


@given(classes, classes)
def test_classes_overlap_both_ways(a: SubstanceClass, b: SubstanceClass) -> None:
    assert classes_overlap(a, b) == classes_overlap(b, a)
    assert classes_overlap(a, a)


@given(codes, codes)
def test_the_whole_jurisdiction_overlaps_every_area_and_nothing_overlaps_nowhere(
    a: frozenset[AreaCode], b: frozenset[AreaCode]
) -> None:
    overlap = areas_overlap(a, b, ROOT)
    assert overlap == areas_overlap(b, a, ROOT)
    assert overlap == (bool(a and b) and (ROOT in a | b or bool(a & b)))


@given(windows, windows)
def test_windows_overlap_both_ways_and_by_the_gap_between_their_ends(
    a: tuple[date, date], b: tuple[date, date]
) -> None:
    earlier, later = sorted((a, b))
    assert days_overlap(a, b) == days_overlap(b, a) == ((later[0] - earlier[1]).days <= 14)


def test_a_fortnight_between_the_end_of_one_and_the_start_of_the_next_is_still_one() -> None:
    assert days_overlap((DAY, DAY), (DAY + timedelta(days=14), DAY + timedelta(days=20)))
    assert not days_overlap((DAY, DAY), (DAY + timedelta(days=15), DAY + timedelta(days=20)))
