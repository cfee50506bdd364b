"""Every setting, in one tree: composed from each package's own model, unknown keys refused.

Read from a TOML file (``--config``, or ``TOCSIN_CONFIG``, or ``tocsin.toml`` in the working directory) and from
environment variables that begin with ``TOCSIN__`` (two underscores also between levels), which win. Relative paths in
the file are relative to the file. :class:`SettingsError` carries one sentence a person can act on, and no values.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from alerts.settings import AlertsSettings
from schemas.vocabulary import Jurisdiction, Slug
from streams.settings import JurisdictionSettings

DEFAULT_FILE = Path("tocsin.toml")
FILE_VARIABLE = "TOCSIN_CONFIG"


class SettingsError(ValueError):
    """The settings cannot be used; the message says what is wrong, where, and what to do."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebSettings(_Settings):
    """The console and the API."""

    host: Annotated[
        str, Field(description="Address to listen on; everything but loopback wants a TLS proxy.")
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8321
    cookie_secure: Annotated[
        bool | None,
        Field(
            description="Send the session cookie over HTTPS only; left out, whenever the base URL is HTTPS."
        ),
    ] = None
    metrics_token: Annotated[
        SecretStr | None,
        Field(description="Bearer token with which /metrics may be read from elsewhere than this machine."),
    ] = None


class DetectionSettings(_Settings):
    """When jurisdictions are looked at."""

    debounce_seconds: Annotated[
        float, Field(ge=0, le=600, description="Wait this long after new data for more of it.")
    ] = 2.0
    daily_at: Annotated[time, Field(description="Local time of the daily look, news or not.")] = time(6)
    lease_seconds: Annotated[
        int, Field(ge=10, le=3600, description="A run that takes longer is somebody else's to do.")
    ] = 300


class LogSettings(_Settings):
    """What the service says about itself on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="From which level on.")
    ] = "info"
    json_lines: Annotated[bool, Field(description="One JSON object per line, for machines.")] = False


class DropFolderSettings(_Settings):
    """A folder in which a partner leaves CSV files."""

    path: Annotated[Path, Field(description="Where files arrive; done/ and failed/ are made beside them.")]
    mapping: Annotated[Path, Field(description="TOML mapping: how columns become events.")]
    jurisdiction: Annotated[Jurisdiction, Field(description="Whose records they are.")]
    backfill: Annotated[
        bool, Field(description="A folder of history: its records teach what is usual and page nobody.")
    ] = False


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="TOCSIN__", env_nested_delimiter="__", case_sensitive=False
    )

    database_url: Annotated[
        SecretStr,
        Field(description="`sqlite:///PATH` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`."),
    ] = SecretStr("sqlite:///tocsin-data/tocsin.sqlite")
    jurisdictions: Annotated[
        dict[Annotated[Slug, Field()], JurisdictionSettings],
        Field(min_length=1, description="Each Local Drug Information System served, by its short name."),
    ]
    alerts: Annotated[AlertsSettings, Field(description="People: channels, escalation, links.")]
    web: Annotated[WebSettings, Field(description="The console and the API.")] = WebSettings()
    detection: Annotated[DetectionSettings, Field(description="When jurisdictions are looked at.")] = (
        DetectionSettings()
    )
    log: Annotated[LogSettings, Field(description="What the service says about itself.")] = LogSettings()
    drop_folders: Annotated[
        tuple[DropFolderSettings, ...], Field(description="Folders in which CSV files arrive.")
    ] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and read nothing else."""
        return env_settings, init_settings


def read_settings(path: Path | None = None) -> Settings:
    """Read the settings from ``path``, or from where they usually are.

    Raises
    ------
    SettingsError
        If the file cannot be read or something in it is wrong.
    """
    path = path or Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"There is no settings file {path}; write one with `tocsin init`, or name it with --config."
        raise SettingsError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The settings file {path} cannot be read ({type(error).__name__}); check its permissions and encoding."
        raise SettingsError(msg) from None
    except tomllib.TOMLDecodeError as error:
        msg = f"The settings file {path} is not valid TOML: {error}."
        raise SettingsError(msg) from None
    try:
        return Settings(**_absolute(content, path.resolve().parent))
    except ValidationError as error:
        msg = f"The settings in {path} cannot be used: {_problems(error)}"
        raise SettingsError(msg) from None


def _absolute(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths of a settings file relative to the file."""
    made = dict(content)
    url = made.get("database_url")
    if isinstance(url, str) and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        made["database_url"] = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    jurisdictions = made.get("jurisdictions")
    if isinstance(jurisdictions, dict):
        made["jurisdictions"] = {name: _paths(one, folder) for name, one in jurisdictions.items()}
    folders = made.get("drop_folders")
    if isinstance(folders, list):
        made["drop_folders"] = [_paths(one, folder) for one in folders]
    return made


def _paths(value: Any, folder: Path) -> Any:  # noqa: ANN401 (whatever TOML holds)
    if not isinstance(value, dict):
        return value
    made = {}
    for name, item in value.items():
        if name in {"table", "aliases", "geojson", "thresholds", "path", "mapping"} and isinstance(item, str):
            made[name] = str(folder / item)
        else:
            made[name] = _paths(item, folder)
    return made


def _problems(error: ValidationError) -> str:
    """Say what is wrong without repeating any value: one may be a secret."""
    problems = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(part) for part in item["loc"]) or "the file"
        if item["type"] == "missing":
            words = "is missing"
        elif item["type"] == "extra_forbidden":
            words = "is not a setting that Tocsin knows"
        else:
            words = item["msg"].removeprefix("Value error, ")
        problems.append(f"{place}: {words}")
    return "; ".join(problems) + "."
