"""The figures behind the simulated county: each with its unit, and its source or the words "our assumption".

Read by everything in this package; written into the documentation and into whatever a calibration stores. A figure
that no source gives is said to be an assumption, so that a local team can replace it. Round trip:
``SimulationParameters.model_validate_json(parameters.model_dump_json())``, or a TOML table with the same names.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Range = tuple[Share, Share]

_WHOLE = 1e-6


class HarmProfile(StrEnum):
    """What kind of drug harmed a person; it decides in which feeds the person appears."""

    OPIOID = "opioid"
    BENZODIAZEPINE = "benzodiazepine"
    CANNABINOID = "cannabinoid"
    STIMULANT = "stimulant"
    DEPRESSANT = "depressant"


PROFILES: tuple[HarmProfile, ...] = tuple(HarmProfile)


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Delay(_Figures):
    """One way in which records of a feed reach us: a log-normal wait, cut at both ends."""

    share: Share = Field(default=1.0, description="Share of the feed's records that take this way.")
    median_hours: Positive = Field(description="Median wait from the happening to being known.")
    log_sd: NotNegative = Field(description="Standard deviation of the wait's logarithm.")
    least_hours: NotNegative = Field(description="No record is known sooner.")
    most_hours: Positive = Field(description="No record takes longer.")


class FeedFigures(_Figures):
    """How much of a feed there is, what its records name and how late they are."""

    per_year: Positive = Field(description="Records a year, all strata, before any outbreak.")
    level_log_sd: NotNegative = Field(
        default=0.15,
        description="How far this feed's level may be from that figure: drawn once for each history. Our assumption.",
    )
    mix: tuple[NotNegative, NotNegative, NotNegative, NotNegative, NotNegative] = Field(
        description="Shares of the profiles opioid, benzodiazepine, cannabinoid, stimulant, depressant. Our assumption."
    )
    named_share: Share = Field(description="Share of records that name a substance.")
    delays: tuple[Delay, ...] = Field(
        description="The ways in which records reach us; their shares add up to 1."
    )
    scene_token_share: Share = Field(
        description="Share of records whose sender sends a scene token. Our assumption."
    )
    subject_token_share: Share = Field(
        description="Share of records whose sender sends a subject token. Our assumption."
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if abs(sum(self.mix) - 1) > _WHOLE or abs(sum(item.share for item in self.delays) - 1) > _WHOLE:
            msg = "mix and the delays' shares must each add up to 1"
            raise ValueError(msg)
        return self


class SampleFigures(_Figures):
    """Drug checking: samples are handed in by people who were not harmed, so they are drawn apart."""

    per_year: Positive = Field(default=210.0, description="Samples a year: 15-20 a month (planning range).")
    level_log_sd: NotNegative = Field(default=0.2, description="As for the other feeds. Our assumption.")
    watch_list_share: Share = Field(
        default=0.02, description="Share of samples in which a watch-list class is found. Planning figure."
    )
    watch_list_mix: tuple[NotNegative, NotNegative, NotNegative, NotNegative] = Field(
        default=(0.5, 0.2, 0.1, 0.2),
        description="Of those: nitazene, fentanyl, orphine, alpha-2 sedative. Our assumption.",
    )
    mix: tuple[NotNegative, NotNegative, NotNegative, NotNegative, NotNegative] = Field(
        default=(0.3, 0.25, 0.1, 0.3, 0.05), description="Profiles of the other samples. Our assumption."
    )
    batch_share: Share = Field(
        default=0.04,
        description="Share of samples that come as a batch of 2-4 from one seizure. Our assumption.",
    )
    misleading_share: Share = Field(
        default=0.1,
        description="Share of samples that were sold as something of another class. Our assumption.",
    )
    delays: tuple[Delay, ...] = Field(
        default=(
            Delay(share=0.3, median_hours=1.0, log_sd=0.3, least_hours=0.5, most_hours=4),
            Delay(share=0.5, median_hours=44, log_sd=0.25, least_hours=20, most_hours=96),
            Delay(share=0.2, median_hours=150, log_sd=0.4, least_hours=72, most_hours=504),
        ),
        description="On site about 1 h (The Loop), in a laboratory 2 working days (Toronto), by post days to weeks "
        "(WEDINOS). The shares are our assumption.",
    )


class SimulationParameters(_Figures):
    """Everything that the simulated county is made from. The defaults are Kent and Medway's."""

    # ---- how much ----
    naloxone: FeedFigures = Field(
        default=FeedFigures(
            per_year=600,
            mix=(0.92, 0.04, 0.0, 0.01, 0.03),
            named_share=0.15,
            delays=(Delay(median_hours=7, log_sd=0.9, least_hours=0.3, most_hours=48),),
            scene_token_share=0.9,
            subject_token_share=0.9,
        ),
        description="Ambulance naloxone patients: 20-100 a month for Kent and Medway, central 50. Known the same day "
        "to 2 days later (record completion). Most records name no substance; the share is our assumption.",
    )
    ed: FeedFigures = Field(
        default=FeedFigures(
            per_year=1560,
            mix=(0.30, 0.12, 0.08, 0.25, 0.25),
            named_share=0.35,
            delays=(Delay(median_hours=3, log_sd=0.8, least_hours=0.25, most_hours=24),),
            scene_token_share=0.2,
            subject_token_share=0.8,
        ),
        description="A&E drug presentations: about 10 a week admitted and several times that attending; 30 a week is "
        "our choice. The complaint is known within hours; a third coded at all in one three-site study.",
    )
    deaths: FeedFigures = Field(
        default=FeedFigures(
            per_year=61,
            mix=(0.62, 0.12, 0.02, 0.12, 0.12),
            named_share=0.6,
            delays=(Delay(median_hours=20, log_sd=0.8, least_hours=1, most_hours=72),),
            scene_token_share=0.8,
            subject_token_share=0.8,
        ),
        description="Suspected deaths: 182 drug-misuse deaths in Kent in 2018-20, about 61 a year; police tell the "
        "same or the next day, at the latest after 3 days.",
    )
    samples: SampleFigures = Field(default=SampleFigures(), description="Drug checking: see its own figures.")
    level_log_sd: NotNegative = Field(
        default=0.1,
        description="Uncertainty of the level that all feeds share, drawn once for each history. Ours.",
    )
    # ---- who appears where ----
    overlap: Range = Field(
        default=(0.3, 0.7),
        description="Share of naloxone patients who are also an A&E presentation; drawn once for each history.",
    )
    deaths_with_naloxone: Share = Field(
        default=0.35,
        description="Share of suspected deaths to whom an ambulance gave naloxone. Our assumption.",
    )
    repeat_share: Share = Field(
        default=0.05,
        description="Share of people who are harmed again within weeks (repeated callers). Ours.",
    )
    repeat_mean_calls: Positive = Field(
        default=1.5,
        description="Further happenings of such a person, geometric, at least one. Our assumption.",
    )
    repeat_mean_days: Positive = Field(
        default=10.0,
        description="Mean time from one happening of a person to the next, exponential. Our assumption.",
    )
    residence_elsewhere: Range = Field(
        default=(0.10, 0.25),
        description="Share of people who live in another detection area than where it happened; drawn per history.",
    )
    residence_unknown: Share = Field(default=0.03, description="Residence not recorded. Our assumption.")
    no_fixed_abode: Share = Field(default=0.04, description="People of no fixed abode. Our assumption.")
    residence_outside: Share = Field(default=0.03, description="People who live outside the county. Ours.")
    ed_event_area_known: Share = Field(
        default=0.15, description="Share of A&E records that say where it happened. Our assumption."
    )
    # ---- where ----
    area_rates: dict[str, Positive] = Field(
        default={
            "E07000114": 2.0,
            "E07000113": 1.15,
            "E06000035": 1.1,
            "E07000112": 1.1,
            "E07000106": 1.05,
            "E07000108": 1.0,
            "E07000109": 0.95,
            "E07000105": 0.85,
            "E07000110": 0.85,
            "E07000107": 0.8,
            "E07000116": 0.65,
            "E07000115": 0.6,
            "E07000111": 0.55,
        },
        description="Rate of harm in each detection area against the county's. Thanet about twice (its rate of drug "
        "deaths); the others are our assumption. An area that is not named has 1.",
    )
    fine_area_shape: Positive = Field(
        default=1.0,
        description="Gamma shape by which harm is unequal among the small areas of a detection area: 1 puts half of "
        "it into about a fifth of them. Drawn once for each history. Our assumption.",
    )
    # ---- when ----
    season_amplitude: Share = Field(
        default=0.10,
        description="Height of the summer peak against the mean (naloxone in Scotland is summer-high).",
    )
    season_peak_day: Annotated[int, Field(ge=1, le=366)] = Field(
        default=200, description="Day of the year of that peak. Our assumption."
    )
    weekday: tuple[Positive, Positive, Positive, Positive, Positive, Positive, Positive] = Field(
        default=(0.94, 0.92, 0.92, 0.96, 1.06, 1.14, 1.06),
        description="Monday to Sunday, scaled to a mean of 1: more at the weekend. Our assumption.",
    )
    bank_holiday: Positive = Field(
        default=1.12, description="Factor on a bank holiday in England. Our assumption."
    )
    hours_plain: Annotated[tuple[Positive, ...], Field(min_length=24, max_length=24)] = Field(
        default=(
            *(30, 24, 19, 15, 12, 10, 11, 14, 19, 25, 31, 36),
            *(41, 44, 46, 48, 51, 54, 56, 57, 56, 53, 47, 39),
        ),
        description="How the happenings of a day fall on its 24 hours. Our assumption.",
    )
    hours_night_before: Annotated[tuple[Positive, ...], Field(min_length=24, max_length=24)] = Field(
        default=(
            *(52, 50, 45, 38, 29, 20, 16, 16, 19, 25, 31, 36),
            *(41, 44, 46, 48, 51, 54, 56, 57, 56, 53, 47, 39),
        ),
        description="The same after a weekend night: Saturday, Sunday, and bank holidays. Our assumption.",
    )
    hours_night_after: Annotated[tuple[Positive, ...], Field(min_length=24, max_length=24)] = Field(
        default=(
            *(30, 24, 19, 15, 12, 10, 11, 14, 19, 25, 31, 36),
            *(41, 44, 46, 48, 51, 55, 60, 64, 68, 70, 70, 64),
        ),
        description="The same before one: Friday and the eve of a bank holiday. Our assumption.",
    )
    # ---- how it varies ----
    local_dispersion: Annotated[float, Field(ge=1)] = Field(
        default=1.4,
        description="Variance over mean of people in one detection area on one day, given its level: negative "
        "binomial, as people who are harmed alike in one area on one day. With the shocks below, the county's day "
        "has a dispersion of about 1.5.",
    )
    day_shock_sd: NotNegative = Field(
        default=0.2, description="Log-normal shock that all feeds and areas share on one day. Our assumption."
    )
    drift_sd: NotNegative = Field(
        default=0.08,
        description="Slow drift that all feeds and areas share (autoregressive). Our assumption.",
    )
    drift_days: Positive = Field(default=42.0, description="Days after which a drift has faded to 1/e. Ours.")
    area_shock_sd: NotNegative = Field(
        default=0.12, description="Log-normal shock of one detection area over four weeks. Our assumption."
    )
    scene_pair_share: Share = Field(
        default=0.006,
        description="Share of happenings with a second casualty at the same scene (about ten a year). Ours.",
    )
    scene_many_share: Share = Field(
        default=0.00012,
        description="Share of happenings with three or four casualties at the same scene (about one in five years) "
        "with nothing behind them that anybody could be warned of. Our assumption.",
    )
    # ---- what an ambulance record says ----
    cardiac_arrest: Share = Field(
        default=0.08, description="Share of naloxone patients in cardiac arrest. Our assumption."
    )
    no_response: Share = Field(
        default=0.06, description="Share of the others who do not respond to naloxone. Our assumption."
    )
    response_unknown: Share = Field(default=0.2, description="Response not recorded. Our assumption.")
    three_doses: Share = Field(
        default=0.055, description="Share with 3 or 4 doses among those who respond (all patients: 5-10 %)."
    )
    three_doses_no_response: Share = Field(default=0.3, description="The same among those who do not. Ours.")
    # ---- which population ----
    prison_share: Share = Field(default=0.01, description="Happenings in prison or custody. Our assumption.")
    school_share: Share = Field(default=0.002, description="Happenings at a school. Our assumption.")
    self_harm_share: Share = Field(
        default=0.08,
        description="Share of people seen only in A&E whose record says self-harm. Our assumption.",
    )
    # ---- steps, for histories that a model was not fitted to ----
    steps: tuple[tuple[int, Positive], ...] = Field(
        default=(),
        description="(day of the history, factor): from that day on all feeds run at that factor. None by default.",
    )

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for low, high in (self.overlap, self.residence_elsewhere):
            if low > high:
                msg = "a range must be given as (low, high)"
                raise ValueError(msg)
        return self


KENT_AND_MEDWAY = SimulationParameters()
"""The defaults: Kent and Medway at the volumes that ``docs/explanation/simulation.md`` gives sources for."""
