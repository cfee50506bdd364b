"""Settings: one file and the environment, refused in one sentence that repeats no value."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tocsin.settings import Settings, SettingsError, read_settings
from tools import generate_reference

SECRET = "a-secret-that-is-long-enough-to-sign-links"
GOOD = f"""
[jurisdictions.kent-and-medway]
name = "Kent and Medway"

[alerts.fallback]
person = "asha-patel"
name = "Asha Patel"

[alerts.links]
base_url = "https://tocsin.example.org"
secret = "{SECRET}"
"""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("TOCSIN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def refusal(file: Path, text: str) -> str:
    """What is said of a settings file that holds this."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(file)
    return str(caught.value)


def test_a_short_file_is_enough(file: Path) -> None:
    settings = read_settings(file)
    assert settings.jurisdictions["kent-and-medway"].time_zone == "Europe/London"
    assert settings.web.port == 8321


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__WEB__PORT", "9000")
    monkeypatch.setenv("TOCSIN__ALERTS__LINKS__SECRET", "x" * 40)
    settings = read_settings(file)
    assert settings.web.port == 9000
    assert settings.alerts.links.secret.get_secret_value() == "x" * 40
    assert settings.alerts.links.base_url == "https://tocsin.example.org"


def test_the_file_can_be_named_by_the_environment(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(SettingsError, match=r"no settings file tocsin\.toml; write one with `tocsin init`"):
        read_settings()
    monkeypatch.setenv("TOCSIN_CONFIG", str(file))
    assert read_settings().alerts.fallback.person == "asha-patel"


def test_paths_are_relative_to_the_file_and_not_to_where_one_stands(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        'database_url = "sqlite:///data/tocsin.sqlite"\n'
        + GOOD
        + '[[drop_folders]]\npath = "in"\nmapping = "deaths.toml"\njurisdiction = "kent-and-medway"\n',
        encoding="utf-8",
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = read_settings(file)
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/data/tocsin.sqlite"
    assert settings.drop_folders[0].path == tmp_path / "in"
    assert settings.drop_folders[0].mapping == tmp_path / "deaths.toml"


def test_a_name_that_is_no_setting_is_refused_with_its_place(file: Path) -> None:
    said = refusal(file, GOOD + "[web]\nprot = 80\n")
    assert "web.prot: is not a setting that Tocsin knows" in said


def test_a_missing_setting_is_named(file: Path) -> None:
    said = refusal(file, GOOD.replace('person = "asha-patel"\n', ""))
    assert "alerts.fallback.person: is missing" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[web]\nport = "a-private-word"\n', "web.port"),
        ("[web]\nport = 70000\n", "web.port"),
        ('[log]\nlevel = "a-private-word"\n', "log.level"),
        ('[detection]\ndaily_at = "a-private-word"\n', "detection.daily_at"),
    ],
)
def test_a_wrong_value_is_named_by_its_place_and_never_repeated(file: Path, text: str, said: str) -> None:
    sentence = refusal(file, GOOD + text)
    assert said in sentence
    assert "a-private-word" not in sentence
    assert SECRET not in sentence


def test_a_secret_that_is_too_short_is_not_repeated(file: Path) -> None:
    sentence = refusal(file, GOOD.replace(SECRET, "hunter2"))
    assert "at least 32 characters" in sentence
    assert "hunter2" not in sentence


def test_a_time_zone_that_does_not_exist_is_refused(file: Path) -> None:
    text = GOOD.replace('name = "Kent and Medway"', 'name = "Kent and Medway"\ntime_zone = "Europe/Kent"')
    assert "not a known time zone, such as Europe/London" in refusal(file, text)


def test_a_file_that_is_not_toml_is_told_where(file: Path) -> None:
    assert "is not valid TOML" in refusal(file, "[web\n")


def test_a_file_that_is_not_text_is_told_in_a_sentence(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(file)


def test_secrets_do_not_print(file: Path) -> None:
    assert SECRET not in repr(read_settings(file))
    assert SECRET not in str(read_settings(file).model_dump())


def every_model() -> Iterator[tuple[str, type[BaseModel]]]:
    yield from generate_reference.tables(Settings)


def test_every_setting_says_what_it_is_for() -> None:
    silent = [
        f"{place}.{name}"
        for place, model in every_model()
        for name, field in model.model_fields.items()
        if not (field.description or "").strip()
    ]
    assert silent == []


def test_every_table_of_settings_refuses_what_it_does_not_know() -> None:
    open_ones = [place for place, model in every_model() if model.model_config.get("extra") != "forbid"]
    assert open_ones == []


def test_the_page_of_settings_names_every_setting() -> None:
    page = generate_reference.settings_page()
    missing: list[Any] = [
        (place, name)
        for place, model in every_model()
        for name in model.model_fields
        if f"| `{name}` |" not in page.partition(f"\n## {place}\n" if place else "\n## At the top\n")[2]
    ]
    assert missing == []
