"""Fusion: one incident seen by several feeds, found where no feed alone would show it yet, and what kind it fits.

A detection run asks :meth:`Fusion.learn` once a week and :meth:`Fusion.detect` at every look; calibration asks
:meth:`Fusion.alarms` for the same tellings. The search is in ``detectors/fusion_search.py``, what is expected of each
kind of event in ``detectors/effects.py``. One family, one score: thresholds come from null histories of people.
"""

from datetime import timedelta

from pydantic import JsonValue
from scipy.stats import nbinom

from detectors.budget import FUSION
from detectors.contract import Look, Past
from detectors.effects import PROFILES
from detectors.episodes import Alarm
from detectors.fusion_learning import FusionMemory, learn_memory
from detectors.fusion_search import LOWEST_FUSION, Ground, Search, Telling
from detectors.fusion_words import sentence_for
from detectors.sightings import FEEDS
from detectors.terrain import Terrain
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.signals import FeedEvidence, Signal
from schemas.vocabulary import Tier

_INTERVAL = (0.025, 0.975)
_LEAST_P = 1e-300


class Fusion:
    """All feeds together, over circles, areas and the whole jurisdiction, by profiles of what harms people.

    Parameters
    ----------
    terrain : Terrain
        The ground of the jurisdiction (:func:`detectors.terrain.terrain_of`).
    """

    name = "fusion"
    family = FUSION

    def __init__(self, terrain: Terrain) -> None:
        self.ground = Ground.of(terrain)

    def learn(self, past: Past) -> JsonValue:
        """Return how feeds' records are spread over groups of classes and over small areas, as plain JSON."""
        return learn_memory(past.sightings, self.ground.terrain).to_json()

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first: no two share both a place and a class.

        ``newest_evidence_at`` and ``evidence`` are filled in by the caller, as for every detector of counts. A look
        without sightings gives none.
        """
        floor = max(look.thresholds.lowest(self.family), LOWEST_FUSION)
        signals = (self._signal(look, telling) for telling in self.tellings(look, floor))
        return [signal for signal in signals if signal is not None]

    def tellings(self, look: Look, floor: float = LOWEST_FUSION) -> list[Telling]:
        """Return the clusters of a look that score at least ``floor``, strongest first."""
        if look.sightings is None or not floor < float("inf"):
            return []
        memory = FusionMemory.from_json(look.learnt.get(self.name), self.ground.terrain)
        return Search(look, self.ground, memory).tellings(floor)

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        """Return the same clusters as calibration counts them; ``day`` is the index of the look's day."""
        return [
            Alarm(
                day,
                telling.window_days,
                telling.score,
                telling.areas,
                telling.substance_class,
                telling.may_page,
            )
            for telling in self.tellings(look)
        ]

    def _places(self, telling: Telling) -> tuple[AreaCode, ...]:
        """Return the small areas of a circle, sorted; none for a zone of whole detection areas."""
        if telling.centre < 0:
            return ()
        fine = self.ground.terrain.fine
        return tuple(
            sorted(fine[index] for index in self.ground.circles.near[telling.centre, : telling.n_fine])
        )

    def _signal(self, look: Look, telling: Telling) -> Signal | None:
        tier = look.thresholds.disposition(self.family, telling.score)
        if tier is None:
            return None
        allowed, because = tier, ""
        if tier is Tier.PAGE and not telling.may_page:
            allowed, because = Tier.REVIEW, " Samples alone do not page."
        observed, expected = sum(telling.counts), sum(telling.expected)
        low, high = (
            float(nbinom.ppf(share, telling.size, telling.size / (telling.size + expected)))
            for share in _INTERVAL
        )
        ranked = sorted(range(len(PROFILES)), key=lambda row: (-telling.probabilities[row], row))
        profile, second = (
            PROFILES[telling.profile],
            PROFILES[ranked[1] if ranked[0] == telling.profile else ranked[0]],
        )
        recurrence = look.thresholds.recurrence(self.family, telling.score, may_page=telling.may_page)
        terrain = self.ground.terrain
        centre = terrain.areas[terrain.area_of[telling.centre]] if telling.centre >= 0 else telling.main
        return Signal(
            jurisdiction=look.jurisdiction,
            detector=self.name,
            family=self.family,
            key=f"{profile.name}:{telling.main}",
            areas=telling.codes,
            places=self._places(telling),
            window_start=look.today - timedelta(days=telling.window_days - 1),
            window_end=look.today,
            feeds=tuple(
                FeedEvidence(feed=feed, observed=telling.counts[row], expected=telling.expected[row])
                for row, feed in enumerate(FEEDS)
                if telling.counts[row]
            ),
            substance_class=telling.substance_class,
            observed=observed,
            expected=expected,
            interval=(low, high),
            p_value=min(1.0, max(10.0**-telling.score, _LEAST_P)),
            recurrence_interval_days=recurrence.days,
            tier=allowed,
            newest_evidence_at=start_of_day(look.today, look.zone),
            parameters={
                "score": round(telling.score, 4),
                "event_type": profile.name,
                "type_probability": round(telling.probabilities[telling.profile], 4),
                "alternative": second.name,
                "alternative_probability": round(telling.probabilities[PROFILES.index(second)], 4),
                "people": round(telling.people, 2),
                "zone": telling.zone,
                "centre": look.names.get(centre, centre),
                "radius_km": round(telling.radius_km, 2),
                "n_small_areas": telling.n_fine,
                "window_days": telling.window_days,
                "held_from": tier.value if allowed is not tier else "",
                "recurrence_extrapolated": recurrence.extrapolated,
                "recurrence_capped": recurrence.capped,
            },
            model_version=look.baseline.model_version,
            sentence=sentence_for(telling, look.today, look.names) + because,
        )
