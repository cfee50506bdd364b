"""Settings of the people side.

``tocsin`` composes them into its settings tree and hands them over; this package never reads an environment variable
or a file. Every field says what it is for; unknown keys are refused.
"""

from datetime import time, timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.vocabulary import Feed, Jurisdiction, Slug

Minutes = Annotated[int, Field(ge=0, le=7 * 24 * 60)]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s<>,;]{1,64}@[^@\s<>,;]{1,189}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(_Settings):
    """A person whom Tocsin can always reach."""

    person: Annotated[Slug, Field(description="Short name, as in the people table.")]
    name: Annotated[str, Field(min_length=1, max_length=120, description="As colleagues know them.")]
    email: Annotated[EmailAddress | None, Field(description="Where e-mail reaches them.")] = None


class EscalationStep(_Settings):
    """One step: after so many minutes without an acknowledgement, tell these people."""

    after_minutes: Annotated[Minutes, Field(description="Minutes since the notice began to ring.")]
    whom: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(?:on_call|fallback|person:[a-z0-9-]{1,64})$")], ...],
        Field(
            min_length=1,
            description="`on_call`, `fallback` or `person:NAME`; whoever is on call at that moment.",
        ),
    ]


class EscalationPolicy(_Settings):
    """Whom to tell while nobody acknowledges. Its last step repeats until somebody does: it never ends silently."""

    steps: Annotated[
        tuple[EscalationStep, ...], Field(min_length=1, description="In order of time; the first at 0.")
    ] = (
        EscalationStep(after_minutes=0, whom=("on_call",)),
        EscalationStep(after_minutes=15, whom=("on_call", "fallback")),
    )
    repeat_every_minutes: Annotated[
        int, Field(ge=1, le=24 * 60, description="How often the last step repeats, for the first day.")
    ] = 30

    @model_validator(mode="after")
    def _steps_are_ordered(self) -> Self:
        minutes = [step.after_minutes for step in self.steps]
        if minutes[0] != 0 or any(a >= b for a, b in pairwise(minutes)):
            msg = "escalation steps must begin at 0 minutes and be in order of time"
            raise ValueError(msg)
        return self


class EmailSettings(_Settings):
    """The SMTP server that e-mail leaves by."""

    host: Annotated[str, Field(description="Name of the SMTP server.")]
    port: Annotated[int, Field(ge=1, le=65535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="How the connection is secured; `none` only on one machine."),
    ] = "starttls"
    username: Annotated[str | None, Field(description="If the server wants a sign-in.")] = None
    password: Annotated[SecretStr | None, Field(description="With `username`.")] = None
    sender: Annotated[EmailAddress, Field(description="Address that e-mail comes from.")]
    timeout_seconds: Annotated[
        float, Field(gt=0, le=120, description="Give up on the server after this long.")
    ] = 20


class ConsoleLogSettings(_Settings):
    """The console log: messages as lines on standard output, in safe words. Reaches nobody who is asleep."""

    enabled: Annotated[bool, Field(description="Whether messages are also printed.")] = True


class ChannelSettings(_Settings):
    """By which channels messages leave; each person is told by every channel that can reach them."""

    console_log: Annotated[ConsoleLogSettings, Field(description="Lines on standard output.")] = (
        ConsoleLogSettings()
    )
    email: Annotated[EmailSettings | None, Field(description="E-mail by SMTP; left out, none is sent.")] = (
        None
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The channels in use, by the name that the outbox stores."""
        return (("console_log",) if self.console_log.enabled else ()) + (("email",) if self.email else ())


class SenderSettings(_Settings):
    """How messages are tried, and tried again."""

    lease_seconds: Annotated[
        int, Field(ge=5, le=3600, description="A claim older than this is another sender's to take.")
    ] = 120
    first_retry_seconds: Annotated[
        int, Field(ge=1, le=3600, description="Wait after the first failure; it doubles.")
    ] = 15
    longest_retry_seconds: Annotated[
        int, Field(ge=1, le=24 * 3600, description="The wait stops doubling here.")
    ] = 900
    most_attempts: Annotated[
        int, Field(ge=1, le=1000, description="Then it is given up, and the incident escalates.")
    ] = 12


class LinkSettings(_Settings):
    """Signed links in messages."""

    base_url: Annotated[
        str, Field(pattern=r"^https?://[^\s?#]+$", description="Where people reach the console.")
    ]
    secret: Annotated[
        SecretStr, Field(description="Signs links; at least 32 characters. Changing it voids them all.")
    ]
    acknowledge_hours: Annotated[
        int, Field(ge=1, le=72, description="How long an acknowledge link works.")
    ] = 24
    sign_in_minutes: Annotated[int, Field(ge=1, le=24 * 60, description="How long a sign-in link works.")] = (
        15
    )

    @model_validator(mode="after")
    def _secret_is_long(self) -> Self:
        if len(self.secret.get_secret_value()) < 32:  # noqa: PLR2004 (said in the sentence)
            msg = "links.secret must be at least 32 characters long"
            raise ValueError(msg)
        return self


class AlertsSettings(_Settings):
    """Everything the people side is told by configuration."""

    fallback: Annotated[
        Contact, Field(description="Told when nobody is on call, and by later escalation steps.")
    ]
    links: Annotated[LinkSettings, Field(description="Signed links in messages.")]
    channels: Annotated[ChannelSettings, Field(description="How messages leave.")] = ChannelSettings()
    escalation: Annotated[
        EscalationPolicy,
        Field(description="Frozen onto each incident when it opens; a change affects later ones."),
    ] = EscalationPolicy()
    sender: Annotated[SenderSettings, Field(description="Retries.")] = SenderSettings()
    quiet_from: Annotated[
        time, Field(description="Europe/London: from here only pages of urgency *now* ring.")
    ] = time(22)
    quiet_until: Annotated[
        time, Field(description="Europe/London: pages that waited for the morning ring here.")
    ] = time(7, 30)
    review_at: Annotated[
        time, Field(description="Europe/London: when reviews are sent on the next working day.")
    ] = time(9)
    review_by_hours: Annotated[
        int,
        Field(
            ge=1,
            le=48,
            description="How long an acknowledgement holds; one that would end at night ends at `review_at`.",
        ),
    ] = 4
    ask_to_close_after_days: Annotated[
        int,
        Field(
            ge=1, le=90, description="Days without new evidence after which an incident asks to be closed."
        ),
    ] = 14
    silent_after_days: Annotated[
        dict[Feed, Annotated[int, Field(ge=1, le=365)]],
        Field(description="After so many days without a record, cards say that a feed cannot be seen."),
    ] = {
        Feed.SUSPECTED_DEATHS: 14,
        Feed.AMBULANCE_NALOXONE: 3,
        Feed.ED_PRESENTATIONS: 3,
        Feed.DRUG_CHECKING: 14,
    }
    incident_prefixes: Annotated[
        dict[Jurisdiction, Annotated[str, Field(pattern=r"^[A-Z0-9]{1,12}$")]],
        Field(description="Prefix of incident numbers; left out, made from the jurisdiction's name."),
    ] = {}
    tell_people: Annotated[
        bool,
        Field(
            description="Off only in replays that need incidents and no messages: nobody is told of anything."
        ),
    ] = True

    @property
    def review_by(self) -> timedelta:
        """How long an acknowledgement holds by day."""
        return timedelta(hours=self.review_by_hours)
