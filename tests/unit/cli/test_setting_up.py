"""From an empty folder to settings that hold: init, check-config, db."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas import migrations
from tocsin.cli import main
from tocsin.cli.context import Context

from .conftest import Tocsin, said


def test_init_makes_settings_that_nobody_else_can_read_and_a_database(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "kent"
    done = CliRunner().invoke(main, ["init", str(folder)], obj=Context())
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE((folder / "tocsin.toml").stat().st_mode) == 0o600
    assert migrations.is_at_head(f"sqlite:///{folder}/tocsin-data/tocsin.sqlite")


def test_each_folder_gets_its_own_secret(tmp_path: Path) -> None:
    for name in ("one", "two"):
        CliRunner().invoke(main, ["init", str(tmp_path / name)], obj=Context())
    one, two = ((tmp_path / name / "tocsin.toml").read_text(encoding="utf-8") for name in ("one", "two"))
    assert one != two
    assert "@SECRET@" not in one


def test_init_never_overwrites_settings(folder: Path) -> None:
    before = (folder / "tocsin.toml").read_text(encoding="utf-8")
    done = CliRunner().invoke(main, ["init", str(folder)], obj=Context())
    assert "exists already; it was not changed" in said(done)
    assert (folder / "tocsin.toml").read_text(encoding="utf-8") == before


def test_check_config_asks_for_what_init_left_to_be_filled_in(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["init", str(tmp_path / "kent")], obj=Context())
    done = CliRunner().invoke(
        main, ["--config", str(tmp_path / "kent" / "tocsin.toml"), "check-config"], obj=Context()
    )
    assert done.exit_code == 2
    assert "alerts.fallback.name is still to be filled in" in done.stderr
    assert "alerts.fallback.email is still to be filled in" in done.stderr


def test_check_config_shows_what_is_set_and_hides_secrets(tocsin: Tocsin, folder: Path) -> None:
    text = (folder / "tocsin.toml").read_text(encoding="utf-8")
    secret = text.partition('secret = "')[2].partition('"')[0]
    done = tocsin("check-config")
    assert done.exit_code == 0, done.output
    assert "Robin Okoro" in done.stdout
    assert "The settings can be used." in done.stdout
    assert "wake nobody" in done.stdout
    assert secret not in done.output


def test_check_config_hides_the_password_of_the_database(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN__DATABASE_URL", "postgresql+psycopg://tocsin:hunter2@db.example.org/tocsin")
    done = tocsin("check-config")
    assert "db.example.org" in done.stdout
    assert "hunter2" not in done.output


def test_check_config_can_show_the_defaults_too(tocsin: Tocsin) -> None:
    assert "detection.daily_at" not in tocsin("check-config").stdout
    assert "detection.daily_at" in tocsin("check-config", "--all").stdout


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            '\n[jurisdictions.elsewhere]\nname = "Elsewhere"\ngeography = { table = "gone.csv" }\n',
            "jurisdictions.elsewhere.geography: ",
        ),
        (
            '\n[jurisdictions.elsewhere]\nname = "Elsewhere"\nthresholds = "gone.json"\n',
            "jurisdictions.elsewhere.thresholds: The thresholds file",
        ),
        (
            '\n[jurisdictions.elsewhere]\nname = "Elsewhere"\nholiday_country = "ZZ"\n',
            "jurisdictions.elsewhere.holiday_country: no bank holidays are known of ZZ",
        ),
        (
            '\n[jurisdictions.elsewhere]\nname = "Elsewhere"\nholiday_subdivision = "KENT"\n',
            "jurisdictions.elsewhere.holiday_subdivision: GB has no part KENT",
        ),
        (
            '\n[jurisdictions.kent-and-more]\nname = "Kent and more"\n',
            "alerts.incident_prefixes: kent-and-medway and kent-and-more would both number their incidents KM",
        ),
        (
            '\n[[drop_folders]]\npath = "."\nmapping = "gone.toml"\njurisdiction = "kent-and-medway"\n',
            "drop_folders.1.mapping: The mapping gone.toml cannot be read",
        ),
        (
            '\n[[drop_folders]]\npath = "gone"\nmapping = "ours.toml"\njurisdiction = "surrey"\n',
            "drop_folders.1.jurisdiction: surrey is not a jurisdiction of the settings.",
        ),
    ],
    ids=["geography", "thresholds", "holidays", "part", "numbering", "mapping", "jurisdiction"],
)
def test_check_config_names_a_file_or_name_that_cannot_be_used(
    tocsin: Tocsin, folder: Path, more: str, sentence: str
) -> None:
    with (folder / "tocsin.toml").open("a", encoding="utf-8") as file:
        file.write(more)
    done = tocsin("check-config")
    assert done.exit_code == 2, done.output
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_check_config_refuses_a_database_that_tocsin_does_not_speak(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN__DATABASE_URL", "mysql://u:hunter2@db/x")
    done = tocsin("check-config")
    assert said(done) == "database_url must begin with sqlite:/// or postgresql+psycopg://."
    assert "hunter2" not in done.output


def test_a_database_that_does_not_answer_is_one_sentence_without_its_password(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("TOCSIN__DATABASE_URL", "postgresql+psycopg://tocsin:hunter2@127.0.0.1:1/tocsin")
    done = tocsin("incidents", "list")
    assert "check database_url and that the database runs" in said(done)
    assert "hunter2" not in done.output


def test_a_command_without_a_database_says_how_to_make_one(tocsin: Tocsin, folder: Path) -> None:
    (folder / "tocsin-data" / "tocsin.sqlite").unlink()
    assert "make it with `tocsin db upgrade`" in said(tocsin("incidents", "list"))
    assert tocsin("db", "upgrade").exit_code == 0
    assert tocsin("incidents", "list").exit_code == 0


def test_db_upgrade_twice_says_that_nothing_was_to_do(tocsin: Tocsin) -> None:
    assert "was already at version" in tocsin("db", "upgrade").stdout
    assert "tables are as they should be" in tocsin("db", "check").stdout


def test_db_check_notices_a_table_that_was_changed_by_hand(tocsin: Tocsin, writing: object) -> None:
    with writing() as connection:  # type: ignore[operator]
        connection.exec_driver_sql("ALTER TABLE person ADD COLUMN nickname TEXT")
    assert "1 of its tables, columns or indexes differ" in said(tocsin("db", "check"))


def test_a_database_of_a_newer_tocsin_is_left_alone(tocsin: Tocsin, writing: object) -> None:
    with writing() as connection:  # type: ignore[operator]
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for command in (("db", "upgrade"), ("incidents", "list")):
        assert "too old to know" in said(tocsin(*command))


def test_settings_that_cannot_be_read_are_one_sentence_and_exit_code_2(tocsin: Tocsin, folder: Path) -> None:
    (folder / "tocsin.toml").write_text("[web\n", encoding="utf-8")
    done = tocsin("incidents", "list")
    assert done.exit_code == 2
    assert "is not valid TOML" in said(done)


def test_our_own_fault_is_one_sentence_that_repeats_nothing(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "a patient's name"
        raise RuntimeError(message)

    monkeypatch.setattr("alerts.reading.list_incidents", fail)
    done = tocsin("incidents", "list")
    assert said(done) == (
        "Tocsin itself failed here (RuntimeError); nothing half-done was kept. See where with --debug."
    )
    assert "patient" not in done.output


def test_debug_shows_where_an_error_came_from(
    tocsin: Tocsin, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "boom"
        raise RuntimeError(message)

    monkeypatch.setattr("alerts.reading.list_incidents", fail)
    done = CliRunner().invoke(
        main, ["--debug", "--config", str(folder / "tocsin.toml"), "incidents", "list"], obj=Context()
    )
    assert isinstance(done.exception, RuntimeError)


def test_debug_shows_the_cause_of_a_refusal_too(folder: Path, tmp_path: Path) -> None:
    with (folder / "tocsin.toml").open("a", encoding="utf-8") as file:
        file.write('\n[jurisdictions.elsewhere]\nname = "Elsewhere"\ngeography = { table = "gone.csv" }\n')
    words = ["--debug", "--config", str(folder / "tocsin.toml"), "incidents", "list"]
    done = CliRunner().invoke(main, words, obj=Context())
    assert done.exit_code == 2
    assert "Traceback" in done.stderr
    assert "The geography of elsewhere cannot be used" in done.stderr.splitlines()[-1]
