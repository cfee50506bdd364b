"""Who may do what: roles, actions, the principal behind a request, and the one question ``authorise`` answers.

The console, the command line and the disclosure rules all ask it; no other code compares roles. It never looks anything
up: whoever built the :class:`Principal` has already established who the person is and which roles they hold.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.vocabulary import Jurisdiction, Slug


class Role(StrEnum):
    """What a person is to one jurisdiction; a person may be several things."""

    ON_CALL = "on_call"
    COORDINATOR = "coordinator"
    PANEL = "panel"
    EPIDEMIOLOGIST = "epidemiologist"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Action(StrEnum):
    """What can be asked for; every route and command names exactly one."""

    VIEW_INCIDENTS = "view_incidents"
    """See incidents with their numbers made safe."""
    SEE_FIGURES = "see_figures"
    """See true counts, expected counts and p-values."""
    ACKNOWLEDGE = "acknowledge"
    UNDO_ACKNOWLEDGEMENT = "undo_acknowledgement"
    """Undo one's own acknowledgement."""
    UNDO_ANOTHERS = "undo_anothers"
    """Undo somebody else's acknowledgement."""
    CLOSE_INCIDENT = "close_incident"
    VIEW_FEEDS = "view_feeds"
    VIEW_QUARANTINE = "view_quarantine"
    DECIDE_QUARANTINE = "decide_quarantine"
    """Release or discard a quarantined record."""
    VIEW_AUDIT = "view_audit"
    VIEW_ROTA = "view_rota"
    EDIT_ROTA = "edit_rota"


class Authentication(StrEnum):
    """How we know who it is; recorded with every act."""

    SESSION = "session"
    """Signed in to the console."""
    EMAIL_LINK = "email_link"
    """Followed a signed link of one purpose from a message: proves the mailbox, not the person at it."""
    SHELL = "shell"
    """Commands on the host."""
    SYSTEM = "system"
    """Tocsin itself: a timer, a detection run."""


SYSTEM_ACTOR = "system"


class Principal(BaseModel):
    """Whoever asks: who, how we know, and what they are to each jurisdiction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: Slug
    authenticated_by: Authentication
    roles: Annotated[Mapping[Jurisdiction, frozenset[Role]], Field(default_factory=dict)]

    def roles_in(self, jurisdiction: Jurisdiction) -> frozenset[Role]:
        """The person's roles in one jurisdiction; none in a jurisdiction that does not know them."""
        return self.roles.get(jurisdiction, frozenset())


SYSTEM = Principal(person=SYSTEM_ACTOR, authenticated_by=Authentication.SYSTEM, roles={})
"""Tocsin acting by itself: it may write audit entries, and nothing here permits it to see or decide anything."""


class Forbidden(Exception):  # noqa: N818 (the word that people and HTTP use)
    """The principal may not do this. Says which action, never what they would have seen."""

    def __init__(self, principal: Principal, action: Action, jurisdiction: Jurisdiction) -> None:
        super().__init__(f"{principal.person} may not {action.value.replace('_', ' ')} in {jurisdiction}.")
        self.principal = principal
        self.action = action
        self.jurisdiction = jurisdiction


_SEE = frozenset({Action.VIEW_INCIDENTS, Action.SEE_FIGURES, Action.VIEW_FEEDS, Action.VIEW_ROTA})
_HOLD = frozenset({Action.ACKNOWLEDGE, Action.UNDO_ACKNOWLEDGEMENT})

MATRIX: Mapping[Role, frozenset[Action]] = MappingProxyType(
    {
        Role.ON_CALL: _SEE | _HOLD | {Action.CLOSE_INCIDENT},
        Role.COORDINATOR: _SEE
        | _HOLD
        | {
            Action.UNDO_ANOTHERS,
            Action.CLOSE_INCIDENT,
            Action.VIEW_QUARANTINE,
            Action.DECIDE_QUARANTINE,
            Action.VIEW_AUDIT,
            Action.EDIT_ROTA,
        },
        Role.PANEL: frozenset({Action.VIEW_INCIDENTS, Action.SEE_FIGURES, Action.VIEW_ROTA}),
        Role.EPIDEMIOLOGIST: _SEE | {Action.VIEW_QUARANTINE, Action.VIEW_AUDIT},
        # Runs the machine: sees whether feeds arrive and records are refused, not what happened to people.
        Role.OPERATOR: frozenset(
            {Action.VIEW_FEEDS, Action.VIEW_QUARANTINE, Action.DECIDE_QUARANTINE, Action.VIEW_ROTA}
        ),
        Role.VIEWER: frozenset({Action.VIEW_INCIDENTS}),
    }
)
"""What each role may do."""

_BY_EMAIL_LINK = frozenset({Action.VIEW_INCIDENTS, Action.ACKNOWLEDGE})
"""A link in a message opens what the message already said, and acknowledges: nothing else, whatever the roles."""


def may(principal: Principal, action: Action, jurisdiction: Jurisdiction) -> bool:
    """Whether ``principal`` may do ``action`` in ``jurisdiction``."""
    if principal.authenticated_by is Authentication.EMAIL_LINK and action not in _BY_EMAIL_LINK:
        return False
    return any(action in MATRIX[role] for role in principal.roles_in(jurisdiction))


def authorise(principal: Principal, action: Action, jurisdiction: Jurisdiction) -> None:
    """Let the caller go on if ``principal`` may do ``action`` in ``jurisdiction``.

    Raises
    ------
    Forbidden
        Otherwise. A jurisdiction in which the principal has no role forbids everything.
    """
    if not may(principal, action, jurisdiction):
        raise Forbidden(principal, action, jurisdiction)
