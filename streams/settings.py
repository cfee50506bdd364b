"""Settings of the event path: which jurisdictions there are, and how each feed is counted.

``tocsin.settings`` composes them into its tree. :func:`profile_of` turns them into what intake and detection use.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.geography import Geography, load_geography, load_kent_and_medway
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction
from streams.profile import DEFAULT_FEEDS, FeedProfile, JurisdictionProfile

Share = Annotated[float, Field(gt=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GeographyFiles(_Settings):
    """A geography of your own: a table of areas, and optionally other names for them and their shapes."""

    table: Annotated[Path, Field(description="CSV: code, name, parent, population, latitude, longitude.")]
    aliases: Annotated[Path | None, Field(description="CSV of other spellings of the areas' names.")] = None
    geojson: Annotated[Path | None, Field(description="Boundaries, one feature per area.")] = None


class FeedSettings(_Settings):
    """How one feed of one jurisdiction is counted."""

    counted_areas: Annotated[
        tuple[Literal["event", "residence", "site"], ...],
        Field(min_length=1, description="Where an event counts: the first of these areas that is known."),
    ]
    completeness: Annotated[
        tuple[Share, ...],
        Field(
            min_length=1,
            description="Share of events known by the end of day 0, 1, 2 ... after they happened, before any "
            "delay was observed.",
        ),
    ]
    unnamed_class: Annotated[
        SubstanceClass, Field(description="Class of an event that names no substance.")
    ] = SubstanceClass.UNKNOWN

    @field_validator("completeness")
    @classmethod
    def _rises(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(value):
            msg = "completeness must not fall"
            raise ValueError(msg)
        return value


class LevelShiftSettings(_Settings):
    """A day from which a feed counts something else."""

    feed: Annotated[Feed, Field(description="Which feed.")]
    on: Annotated[date, Field(description="The first day of the new definition.")]


class JurisdictionSettings(_Settings):
    """One Local Drug Information System."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="What people call it.")]
    geography: Annotated[
        Literal["kent-and-medway"] | GeographyFiles,
        Field(description="`kent-and-medway`, which is built in, or files of your own."),
    ] = "kent-and-medway"
    time_zone: Annotated[str, Field(description="Decides on which civil day an event counts.")] = (
        "Europe/London"
    )
    holiday_country: Annotated[str, Field(description="ISO 3166 code, for bank holidays.")] = "GB"
    holiday_subdivision: Annotated[str | None, Field(description="Part of that country.")] = "ENG"
    feeds: Annotated[
        dict[Feed, FeedSettings],
        Field(description="Only what differs from the defaults; see the reference page of settings."),
    ] = {}
    level_shifts: Annotated[
        tuple[LevelShiftSettings, ...],
        Field(
            description="Days from which a feed counts something else (a new case definition, another supplier): its "
            "level is learnt anew from that day."
        ),
    ] = ()
    thresholds: Annotated[
        Path | None,
        Field(description="Thresholds learnt for this jurisdiction; left out, those that come with it."),
    ] = None

    @field_validator("time_zone")
    @classmethod
    def _exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            msg = "time_zone is not a known time zone, such as Europe/London"
            raise ValueError(msg) from None
        return value


def geography_of(settings: JurisdictionSettings) -> Geography:
    """Load the geography that a jurisdiction names."""
    if isinstance(settings.geography, str):
        return load_kent_and_medway()
    files = settings.geography
    return load_geography(files.table, name=settings.name, aliases=files.aliases, geojson=files.geojson)


def profile_of(jurisdiction: Jurisdiction, settings: JurisdictionSettings) -> JurisdictionProfile:
    """Return what the event path needs to know of a jurisdiction."""
    feeds = dict(DEFAULT_FEEDS)
    for feed, own in settings.feeds.items():
        feeds[feed] = FeedProfile(
            counted_areas=own.counted_areas,
            completeness=own.completeness,
            unnamed_class=own.unnamed_class.value,
        )
    return JurisdictionProfile(
        jurisdiction=jurisdiction,
        name=settings.name,
        geography=geography_of(settings),
        zone=ZoneInfo(settings.time_zone),
        feeds=feeds,
        holiday_country=settings.holiday_country,
        holiday_subdivision=settings.holiday_subdivision,
        level_shifts=tuple((shift.feed, shift.on) for shift in settings.level_shifts),
    )
