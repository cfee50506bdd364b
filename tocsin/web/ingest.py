"""The ingest API: a partner sends records of one feed, and is told what became of each once it is durable.

1. the key is checked, 2. the body is read, at most 10 MB of it, 3. in a thread, never on the event loop: records are
decoded and screened, what cannot be taken goes to quarantine, the rest to the event log, and only then 4. the sender is
told. Sending the same again is safe at any point: intake and quarantine absorb repeats. What a record says is validated
by intake; an answer of 202 says that the record is kept, not that it is right.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from schemas.vocabulary import Delivery, Feed
from streams import quarantine
from streams.connectors.records import BodyRefused, DecodedRecord, Problem, Stamp, decode_batch, take
from streams.decoding import known_fields
from streams.log.port import LogRecord
from streams.quarantine import QuarantineItem
from tocsin.web.addresses import INGEST
from tocsin.web.api_keys import ApiKey, find_api_key
from tocsin.web.services import Services, WebServices

router = APIRouter()

DELIVERY_HEADER = "Tocsin-Delivery"
MOST_NAMED = 1000
"""Quarantined records that an answer names; beyond that it says how many more there are."""

_REFUSED = {"content_type": 415, "too_large": 413}
_BEARER = {"WWW-Authenticate": "Bearer"}
_KEY_WANTED = "Send a valid key of this feed as Authorization: Bearer KEY."


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of one delivery."""

    accepted: int
    quarantined: list[QuarantineItem]


@router.post(INGEST + "{feed}/events")
async def receive(
    request: Request,
    services: Services,
    feed: str,
    authorization: Annotated[str | None, Header()] = None,
    tocsin_delivery: Annotated[str | None, Header()] = None,
) -> Response:
    """Take a JSON object, a JSON array or NDJSON; answer when every record of it is durable."""
    key = await run_in_threadpool(_key_of, services, authorization)
    delivery = _delivery(key, _feed(key, feed), tocsin_delivery)
    body = await request.body()  # the layer around the application stops a body that grows too large
    content_type = request.headers.get("content-type", "")
    taken = await run_in_threadpool(_take_in, services, key, delivery, body, content_type)
    return JSONResponse(_answer(taken), 202)


def _key_of(services: WebServices, authorization: str | None) -> ApiKey:
    scheme, _, value = (authorization or "").partition(" ")
    key = None
    if scheme.lower() == "bearer" and value.strip():
        with services.database.read() as connection:
            key = find_api_key(connection, value.strip())
    if key is None:
        raise HTTPException(401, _KEY_WANTED, _BEARER)
    return key


def _feed(key: ApiKey, name: str) -> Feed:
    """Return the feed that the address names, if there is one and the key is of it."""
    if name not in set(Feed):
        raise HTTPException(404, f"There is no such feed; the feeds are {', '.join(Feed)}.")
    if key.feed != name:
        raise HTTPException(403, f"This key is of another feed, {key.feed}; send each feed with its own key.")
    return Feed(name)


def _delivery(key: ApiKey, feed: Feed, said: str | None) -> Delivery:
    if said is None or said.strip().lower() == Delivery.LIVE:
        return Delivery.LIVE
    if said.strip().lower() != Delivery.BACKFILL:
        raise HTTPException(422, f"{DELIVERY_HEADER} can be live or backfill; left out, it is live.")
    if not key.may_backfill:
        raise HTTPException(
            403, f"This key of {feed} may not send backfills; ask the operator for one that may."
        )
    return Delivery.BACKFILL


def _take_in(
    services: WebServices, key: ApiKey, delivery: Delivery, body: bytes, content_type: str
) -> _Taken:
    """Screen a delivery and store all of it: what is returned is durable."""
    areas = services.profiles[key.jurisdiction].geography.areas
    stamp = Stamp(key.feed, key.jurisdiction, key.origin, services.clock.now(), areas, delivery)
    try:
        records = decode_batch(body, content_type)
    except BodyRefused as refused:
        raise HTTPException(_REFUSED.get(refused.code, 422), refused.sentence) from None
    logged: list[LogRecord] = []
    quarantined: list[QuarantineItem] = []
    for outcome in _outcomes(records, key, stamp):
        if isinstance(outcome, LogRecord):
            logged.append(outcome)
        else:
            quarantined.append(outcome)
    _keep(services, logged, quarantined)
    for code, number in Counter(item.reason_code for item in quarantined).items():
        services.metrics.quarantined(key.feed, code, number)
    return _Taken(len(logged), quarantined)


def _outcomes(
    records: Iterable[DecodedRecord], key: ApiKey, stamp: Stamp
) -> Iterator[LogRecord | QuarantineItem]:
    for record in records:
        if record.value is None:
            problem = record.problem or Problem("malformed", "The record could not be read.")
            yield stamp.quarantined(record.place, problem, None)
            continue
        outcome = take(record.value, record.place, stamp)
        if isinstance(outcome, LogRecord) and _is_of_another(key, record.value):
            sentence = (
                "source.organisation names another organisation than the one that this key belongs to, which is "
                f"{key.organisation}; send it with the key of its own organisation."
            )
            kept, complete = known_fields(record.value)
            outcome = stamp.quarantined(
                record.place, Problem("wrong_organisation", sentence), kept, complete=complete
            )
        yield outcome


def _is_of_another(key: ApiKey, value: dict[str, object]) -> bool:
    """Whether a record speaks for an organisation that the key does not belong to; one that names none is intake's."""
    source = value.get("source")
    named = source.get("organisation") if isinstance(source, dict) else None
    return key.organisation is not None and named is not None and named != key.organisation


def _keep(services: WebServices, logged: list[LogRecord], quarantined: list[QuarantineItem]) -> None:
    """Store the quarantined records, then the rest; a failure in between is mended by sending all of it again."""
    step = 500  # rows in one writing transaction, so that nobody waits long for their turn
    for start in range(0, len(quarantined), step):
        with services.database.write() as connection:
            quarantine.put(connection, quarantined[start : start + step], services.clock.now())
    if logged:
        services.event_log.append(logged)


def _answer(taken: _Taken) -> dict[str, object]:
    named = [
        {"place": item.place, "code": item.reason_code, "reason": item.reason}
        for item in taken.quarantined[:MOST_NAMED]
    ]
    more = len(taken.quarantined) - len(named)
    answer: dict[str, object] = {
        "accepted": taken.accepted,
        "quarantined": len(taken.quarantined),
        "problems": named,
    }
    return answer | {"problems_not_named": more} if more else answer
