"""Tripwires at intake: the events just stored, with what happened around them, as the rules want to see them.

:class:`StoredTripwires` reads; the rules themselves are ``detectors.tripwires``, which loads no numerics.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, func, or_, select

from detectors.observations import CONTEXT, Observation, Seen
from detectors.tripwire_rules import REVIEW_WITHIN
from detectors.tripwire_thresholds import TripwireThresholds
from detectors.tripwires import evaluate
from schemas.events import Response, Status
from schemas.geography import AreaCode, AreaLevel
from schemas.signals import Signal
from schemas.substances import WATCH_LIST, SubstanceClass, Taxonomy
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery, Feed, Jurisdiction, Stratum
from streams.decoding import Decoded
from streams.profile import JurisdictionProfile

EVENT = event_version.c
_KEYS_A_QUERY = 500


class StoredTripwires:
    """Evaluates the tripwires over newly stored events, inside the intake transaction.

    Parameters
    ----------
    thresholds : mapping
        The precomputed thresholds of each jurisdiction.
    taxonomy : Taxonomy
        Tells the class of each canonical substance name.
    """

    def __init__(self, thresholds: Mapping[Jurisdiction, TripwireThresholds], taxonomy: Taxonomy) -> None:
        self._thresholds = thresholds
        self._taxonomy = taxonomy
        self._adjacency: dict[Jurisdiction, Mapping[AreaCode, frozenset[AreaCode]]] = {}

    def __call__(
        self, connection: Connection, profile: JurisdictionProfile, fresh: Sequence[Decoded], now: datetime
    ) -> Sequence[Signal]:
        """Return the signals that the new events of one jurisdiction give."""
        daily = [one for one in fresh if one.grain == "day" and _may_matter(one)]
        if not daily:
            return ()
        identities = {one.identity for one in daily}
        rows = self._around(connection, profile, daily)
        first_known = self._first_known(connection, [row.identity for row in rows if row.version > 1])
        observations = [self._observation(profile, row, first_known.get(row.identity)) for row in rows]
        return evaluate(
            [item for item in observations if item.identity in identities],
            [item for item in observations if item.identity not in identities],
            thresholds=self._thresholds[profile.jurisdiction],
            adjacency=self._neighbours(profile),
            jurisdiction=profile.jurisdiction,
            now=now,
            seen=self._seen(connection, profile, observations),
            area_names={code: area.name for code, area in profile.geography.areas.items()},
            zone=profile.zone,
        )

    def _around(
        self, connection: Connection, profile: JurisdictionProfile, daily: Iterable[Decoded]
    ) -> Sequence[Row]:  # type: ignore[type-arg]
        """Return the standing versions near the new events, the new ones included."""
        moments = sorted(one.event.occurred_at for one in daily)
        ranges: list[tuple[datetime, datetime]] = []
        for moment in moments:
            low, high = moment - CONTEXT, moment + CONTEXT
            if ranges and low <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], high)
            else:
                ranges.append((low, high))
        return connection.execute(
            select(event_version).where(
                EVENT.jurisdiction == profile.jurisdiction,
                EVENT.grain == "day",
                EVENT.superseded_at.is_(None),
                EVENT.status != Status.RETRACTED.value,
                or_(*(EVENT.occurred_at.between(low, high) for low, high in ranges)),
            )
        ).all()

    @staticmethod
    def _first_known(connection: Connection, identities: Sequence[str]) -> dict[str, datetime]:
        """Return when each corrected event was first heard of."""
        known: dict[str, datetime] = {}
        for start in range(0, len(identities), _KEYS_A_QUERY):
            rows = connection.execute(
                select(EVENT.identity, func.min(EVENT.known_at).label("moment"))
                .where(EVENT.identity.in_(identities[start : start + _KEYS_A_QUERY]))
                .group_by(EVENT.identity)
            )
            known |= {row.identity: row.moment for row in rows}
        return known

    def _observation(
        self,
        profile: JurisdictionProfile,
        row: Row,  # type: ignore[type-arg]
        first_known: datetime | None,
    ) -> Observation:
        body = row.body
        found = [item["substance"] for item in body.get("detected", ())] or body.get("confirmed", ())
        detected = self._classes(found)
        is_sample = row.feed == Feed.DRUG_CHECKING.value
        # A correction does not make an old event late news, unless what it brings is a laboratory's finding.
        known_at = row.known_at if first_known is None or detected else first_known
        return Observation(
            identity=row.identity,
            feed=Feed(row.feed),
            occurred_at=row.occurred_at,
            known_at=known_at,
            area=AreaCode(row.detection_area),
            fine_area=None if is_sample else self._small_area(profile, body["areas"]["event"], row.area),
            scene=row.scene,
            subject=row.subject,
            classes=frozenset(SubstanceClass(name) for name in row.classes.split()),
            detected=detected,
            doses=len(body.get("doses", ())),
            response=Response(body.get("response", Response.UNKNOWN)),
            cardiac_arrest=bool(body.get("cardiac_arrest")),
            delivery=Delivery(row.delivery),
            stratum=Stratum(row.stratum),
            batch=body.get("batch"),
        )

    @staticmethod
    def _small_area(profile: JurisdictionProfile, *codes: str) -> AreaCode | None:
        """Return the first of ``codes`` that is a small area: where it happened, else where it counts."""
        for code in codes:
            area = profile.geography.get(code)
            if area is not None and area.level is AreaLevel.LSOA:
                return area.code
        return None

    def _classes(self, names: Iterable[str]) -> frozenset[SubstanceClass]:
        known = (self._taxonomy.classify(name) for name in names)
        return frozenset(substance.substance_class for substance in known if substance is not None)

    def _neighbours(self, profile: JurisdictionProfile) -> Mapping[AreaCode, frozenset[AreaCode]]:
        made = self._adjacency.get(profile.jurisdiction)
        if made is None:
            geography = profile.geography
            made = {code: frozenset(geography.adjacent(code)) for code in geography.detection_areas()}
            self._adjacency[profile.jurisdiction] = made
        return made

    def _seen(
        self, connection: Connection, profile: JurisdictionProfile, observations: Sequence[Observation]
    ) -> Seen:
        """Read what laboratories had found before, if any of the observations is on the watch list."""
        wanted = {one for item in observations for one in item.detected} & WATCH_LIST
        if not wanted:
            return Seen()
        laboratory = (
            EVENT.jurisdiction == profile.jurisdiction,
            EVENT.feed.in_([Feed.DRUG_CHECKING.value, Feed.SUSPECTED_DEATHS.value]),
            EVENT.superseded_at.is_(None),
            EVENT.status != Status.RETRACTED.value,
        )
        start = connection.execute(select(func.min(EVENT.occurred_at)).where(*laboratory)).scalar_one()
        rows = connection.execute(
            select(EVENT.detection_area, EVENT.classes, func.min(EVENT.occurred_at))
            .where(*laboratory, or_(*(EVENT.classes.contains(one.value) for one in sorted(wanted))))
            .group_by(EVENT.detection_area, EVENT.classes)
        )
        earliest: dict[tuple[AreaCode, SubstanceClass], datetime] = {}
        for area, classes, moment in rows:
            for one in wanted & {SubstanceClass(name) for name in classes.split()}:
                key = (AreaCode(area), one)
                earliest[key] = min(earliest.get(key, moment), moment)
        return Seen(history_start=start, earliest=earliest)


def _may_matter(one: Decoded) -> bool:
    """Whether an event can give more than a note for the file: recent when it became known, or a watch-list finding.

    Old events of a bulk load would otherwise drag half the table through the rules.
    """
    recent = one.known_at - one.event.occurred_at <= REVIEW_WITHIN
    return recent or not WATCH_LIST.isdisjoint(SubstanceClass(name) for name in one.classes)
