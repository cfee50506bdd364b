"""The measures of the sixteen daily signals: what counts as a false alarm, as found, as late, and when it is skipped."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import daily, daily_series
from benchmarks.daily import Alarms

OUTBREAK = np.array([[0, 0, 1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 0, 0, 0, 0]], dtype=bool)


def _rates(alarm: list[list[int]]) -> daily.Rates:
    return Alarms(np.array([alarm], dtype=bool), OUTBREAK).rates(slice(None), 0)


def test_an_alarm_is_false_on_a_day_without_outbreak_even_inside_one() -> None:
    found = _rates([[0, 0, 0, 0, 1, 0, 0, 0], [0] * 8])
    assert found.false_alarms == pytest.approx(1 / 11)
    assert found.found == 0


def test_delay_is_of_those_found_and_timeliness_of_all() -> None:
    found = _rates([[0, 0, 0, 1, 0, 1, 0, 0], [0] * 8])
    assert (found.found, found.delay) == (0.5, 1.0)
    assert found.sensitivity == pytest.approx(2 / 5)
    # Found one day late of four, and not found.
    assert found.timeliness == pytest.approx((0.25 + 1) / 2)


def test_without_the_shared_data_it_is_skipped_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(daily, "DATA", tmp_path / "daily16.npz")
    figures, note = daily.measure(1, 1)
    assert not figures
    assert "daily16.npz" in note


def test_our_own_outbreaks_are_on_open_days_after_the_day_they_may_begin() -> None:
    rng = np.random.default_rng(2)
    null = daily_series.draw(rng, 8, 800, ())
    with_it = daily_series.with_outbreaks(rng, null, 2.0, 600)
    assert np.array_equal(with_it.counts - with_it.outbreak, null.counts)
    assert not with_it.outbreak[:, :600].any()
    assert with_it.outbreak.any(axis=1).all()
    assert not with_it.outbreak[null.mean <= 0].any()
