"""Every figure behind the simulation says where it comes from and survives a round trip."""

import tomllib

import pytest
from pydantic import BaseModel, ValidationError

from streams.simulation.parameters import (
    KENT_AND_MEDWAY,
    Delay,
    FeedFigures,
    SampleFigures,
    SimulationParameters,
)

MODELS: tuple[type[BaseModel], ...] = (SimulationParameters, FeedFigures, SampleFigures, Delay)
FIGURES = [
    pytest.param(field.description or "", id=f"{model.__name__}.{name}")
    for model in MODELS
    for name, field in model.model_fields.items()
]


@pytest.mark.parametrize("words", FIGURES)
def test_every_figure_is_described_in_a_sentence(words: str) -> None:
    assert len(words) > 15, "it does not say what it is"
    assert words.rstrip().endswith("."), "it is not a sentence"


def test_the_defaults_survive_json_exactly() -> None:
    assert SimulationParameters.model_validate_json(KENT_AND_MEDWAY.model_dump_json()) == KENT_AND_MEDWAY


def test_a_toml_table_can_change_one_figure_and_keep_the_rest() -> None:
    read = SimulationParameters.model_validate(
        tomllib.loads("three_doses = 0.07\n[area_rates]\nE07000114 = 1.5")
    )
    assert read.three_doses == 0.07
    assert read.area_rates == {"E07000114": 1.5}
    assert read.naloxone == KENT_AND_MEDWAY.naloxone


@pytest.mark.parametrize(
    "wrong", [{"three_dose": 0.1}, {"three_doses": 1.1}, {"overlap": (0.7, 0.3)}, {"local_dispersion": 0.5}]
)
def test_a_figure_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SimulationParameters.model_validate(wrong)


def test_shares_of_a_feed_must_add_up() -> None:
    with pytest.raises(ValidationError, match="add up"):
        FeedFigures.model_validate(KENT_AND_MEDWAY.ed.model_dump() | {"mix": (0.5, 0.1, 0.1, 0.1, 0.1)})
