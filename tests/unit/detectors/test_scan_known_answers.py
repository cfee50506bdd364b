"""Published clusters and figures, where the published data lies beside the checkout; told loudly where it does not."""

import numpy as np
import pytest

from benchmarks import known_answers, known_data

pytestmark = pytest.mark.skipif(
    not known_data.present(), reason=f"NO KNOWN ANSWERS CHECKED: {known_data.FOLDER} is not there"
)


def test_every_published_cluster_is_found_with_its_ratio() -> None:
    figures = known_answers.clusters(np.random.default_rng(1))
    assert len(figures) == 9
    assert [figure.what for figure in figures if not figure.met] == []


def test_fever_in_new_york_is_not_significant() -> None:
    assert known_answers.fever(np.random.default_rng(1)).met


@pytest.mark.long
def test_the_power_is_the_published_one() -> None:
    figures = known_answers.power(np.random.default_rng(1), known_answers.TRIALS)
    assert len(figures) == 7
    assert [figure.what for figure in figures if not figure.met] == []
