"""What is wrong with settings that are well-formed: files that do not read, places left to be filled in.

For ``tocsin check-config``. It opens files and nothing else: no database, no network, no numerics.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from schemas.vocabulary import Jurisdiction
from tocsin.cli.context import sentence
from tocsin.settings import Settings

_PLACEHOLDER = "FILL IN"
_RESERVED = ".invalid"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def problems_in(settings: Settings) -> list[str]:
    """Return what must be mended before anybody relies on Tocsin, one sentence each."""
    return [*what_stops_the_service(settings), *_fallback(settings), *_drop_folders(settings)]


def what_stops_the_service(settings: Settings) -> list[str]:
    """Return the problems with which nothing could run at all; the others leave most of the service useful."""
    database = database_problem(settings)
    return [*([database] if database else []), *_jurisdictions(settings), *_numbering(settings)]


def notes_on(settings: Settings) -> list[str]:
    """Return what works but should be known before anybody relies on it, one sentence each."""
    return [*_reach(settings), *_exposure(settings), *_calibration(settings)]


def database_problem(settings: Settings) -> str | None:
    """Say why the database's address cannot be used at all; nothing if it can."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.drivername not in ("sqlite", "postgresql+psycopg"):
        return "database_url must begin with sqlite:/// or postgresql+psycopg://."
    if url.drivername == "sqlite" and not url.database:
        return "database_url names no file; write sqlite:///PATH."
    if url.drivername == "postgresql+psycopg" and find_spec("psycopg") is None:
        return "database_url names PostgreSQL, and its driver is not installed; install tocsin[postgresql]."
    return None


def _fallback(settings: Settings) -> Iterator[str]:
    contact = settings.alerts.fallback
    if contact.name.startswith(_PLACEHOLDER):
        yield "alerts.fallback.name is still to be filled in: it is whom Tocsin tells when nobody is on call."
    if contact.email is not None and contact.email.endswith(_RESERVED):
        yield "alerts.fallback.email is still to be filled in: no mail reaches an address that ends in .invalid."
    if settings.alerts.channels.email is not None and contact.email is None:
        yield "alerts.fallback.email is missing, and e-mail is how messages leave: the last resort could not be reached."


def _jurisdictions(settings: Settings) -> Iterator[str]:
    from streams.settings import geography_of
    from tocsin.learnt import ThresholdsError, learnt_for

    for name, one in sorted(settings.jurisdictions.items()):
        try:
            geography_of(one)
        except (OSError, ValueError) as error:
            yield f"jurisdictions.{name}.geography: {sentence(error)}"
        if problem := holidays_problem(one.holiday_country, one.holiday_subdivision):
            yield f"jurisdictions.{name}.{problem}"
        try:
            learnt_for(Jurisdiction(name), one.thresholds)
        except ThresholdsError as error:
            yield f"jurisdictions.{name}.thresholds: {sentence(error)}"


def holidays_problem(country: str, subdivision: str | None) -> str | None:
    """Say which of the two is not one whose bank holidays are known; nothing if both are."""
    from holidays import country_holidays

    try:
        country_holidays(country, years=2020)
    except NotImplementedError:
        return f"holiday_country: no bank holidays are known of {country}; give an ISO 3166 code, such as GB."
    try:
        country_holidays(country, subdiv=subdivision, years=2020)
    except NotImplementedError:
        return f"holiday_subdivision: {country} has no part {subdivision} with bank holidays of its own."
    return None


def _numbering(settings: Settings) -> Iterator[str]:
    from alerts.desk import prefix_of

    chosen = settings.alerts.incident_prefixes
    prefixes: dict[str, str] = {}
    for name in sorted(settings.jurisdictions):
        prefix = chosen.get(Jurisdiction(name)) or prefix_of(Jurisdiction(name))
        if prefix in prefixes:
            yield (
                f"alerts.incident_prefixes: {prefixes[prefix]} and {name} would both number their incidents {prefix}; "
                "give one of them another prefix."
            )
        prefixes[prefix] = name
    for name in sorted(chosen.keys() - settings.jurisdictions.keys()):
        yield f"alerts.incident_prefixes.{name}: there is no such jurisdiction."


def _drop_folders(settings: Settings) -> Iterator[str]:
    for number, folder in enumerate(settings.drop_folders, 1):
        from streams.connectors.mapping import MappingError, load_mapping

        place = f"drop_folders.{number}"
        if folder.jurisdiction not in settings.jurisdictions:
            yield f"{place}.jurisdiction: {folder.jurisdiction} is not a jurisdiction of the settings."
        try:
            load_mapping(folder.mapping)
        except MappingError as error:
            yield f"{place}.mapping: {sentence(error)}"
        if not Path(folder.path).is_dir():
            yield f"{place}.path: there is no folder {folder.path}; make it, and let Tocsin write in it."


def _reach(settings: Settings) -> Iterator[str]:
    if not settings.alerts.tell_people:
        yield "alerts.tell_people is off: nobody will be told of anything."
    elif settings.alerts.channels.email is None:
        yield "no e-mail is set up (alerts.channels.email), so messages are lines on standard output and wake nobody."


def _exposure(settings: Settings) -> Iterator[str]:
    base = urlsplit(settings.alerts.links.base_url)
    if base.scheme == "http" and base.hostname not in _LOOPBACK:
        yield "alerts.links.base_url is not https: links and sessions travel readable; put a TLS proxy before Tocsin."
    if settings.web.host not in _LOOPBACK and base.scheme == "http":
        yield f"the console listens on {settings.web.host} without TLS of its own; only a proxy should reach it."


def _calibration(settings: Settings) -> Iterator[str]:
    from tocsin.learnt import ThresholdsError, learnt_for

    for name, one in sorted(settings.jurisdictions.items()):
        try:
            learnt = learnt_for(Jurisdiction(name), one.thresholds)
        except ThresholdsError:
            continue
        if not learnt.is_calibrated:
            yield f"{name} has no learnt thresholds: tripwires page, counts alone are only put up for review."
