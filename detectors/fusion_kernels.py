"""The compiled loops of fusion: the evidence of one place and window, and the search over circles of small areas.

Called by ``detectors/fusion_search.py`` only. **Evidence** of ``m`` excess people of a kind, in a zone and window, is a
log likelihood ratio in which records are taken one by one, as in Polya's urn. Before the i-th record of a stream s of
feed f (``j`` records of the feed so far), chance alone lets one expect

    d = g_s (mu_f + also_f) + kappa_f (i + g_s (j - i)),

where ``mu_f`` is the usual count of the feed, ``g_s`` the stream's part of it, ``kappa_f = phi_f - 1 + mu_f v_f`` what
each record makes one expect further (``phi`` the over-dispersion: clumps, repeated callers; ``v`` the squared relative
error of the expected count), and ``also_f`` the records of people whom earlier feeds show already: the overlap o of
the feeds times the earlier feed's excess. With ``m`` people, each leaving ``q_s`` new records (``p_f`` in the feed, less
``o p`` of the earlier feeds, times the part that names s), the record is ``(d + m q_s) / d`` times as likely, and their
absence costs ``m q_s c_f`` with ``c_f = log(1 + kappa_f) / kappa_f``:

    llr(m) = sum over records log(1 + m q_s / d)  -  m sum over streams q_s c_f.

A generic kind says nothing of names: for it the whole feed is one stream. For one feed this is the exact log likelihood
ratio of two negative binomials of the same dispersion; without any (kappa = 0) it is the Poisson one. It is concave in
m, so Newton's method from the left finds the best m.
"""

# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917, PLR2004 (kernels take plain arrays and are one loop each)

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import serial

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_PEOPLE = 2.0
"""A cluster is at least two people."""

_NEWTON_STEPS = 30
_LARGEST_PRODUCT = 1e200
_SMALLEST = 1e-12

_LEAST_NEW = 0.15
"""At least this part of a feed's records is of people whom no other feed shows."""


@serial
def shared_people(overlap: Floats, also_here: Floats, cover: float, shared: Floats) -> None:
    """Fill ``shared`` with the share of a feed's people (row) whom a zone also shows in a later feed (column).

    Of the people of an earlier feed ``also_here`` are in the later one at the same small area, and ``overlap`` anywhere
    in their detection area, of which the zone holds the part ``cover``.
    """
    for first in range(shared.shape[0]):
        for second in range(shared.shape[0]):
            here = also_here[first, second]
            shared[first, second] = here + max(overlap[first, second] - here, 0.0) * cover


@serial
def evidence(
    counts: Ints,
    usual: Floats,
    kappa: Floats,
    part: Floats,
    shared: Floats,
    feeds: Floats,
    names: Floats,
    generic: Flags,
    log_prior: Floats,
    terms: Floats,
    streams: Ints,
    by_profile: Floats,
    people: Floats,
) -> int:
    """Fill ``by_profile`` with each profile's llr plus log prior, and ``people`` with its m; return the best profile.

    Shapes: counts, part (n_streams,); usual, kappa (n_feeds,); shared (n_feeds, n_feeds); feeds (n_profiles, n_feeds),
    records of one person; names (n_profiles, n_streams), how they are spread over the feed's streams; generic,
    log_prior, by_profile, people (n_profiles,); terms, streams: scratch, at least 4 and 2
    times as long as there are records.
    """
    n_feeds = usual.size
    n_groups = counts.size // n_feeds
    # Terms of single streams come first, then those of whole feeds.
    n_terms = 0
    n_records = counts.sum()
    whole = n_records
    for feed in range(n_feeds):
        of_feed = 0
        for group in range(n_groups):
            of_feed += counts[feed * n_groups + group]
        also = 0.0
        for earlier in range(feed):
            of_earlier = 0
            for group in range(n_groups):
                of_earlier += counts[earlier * n_groups + group]
            also += shared[earlier, feed] * max(of_earlier - usual[earlier], 0.0)
        for j in range(of_feed):
            terms[whole] = max(usual[feed] + also + kappa[feed] * j, _SMALLEST)
            streams[whole] = feed
            whole += 1
        for group in range(n_groups):
            stream = feed * n_groups + group
            count = counts[stream]
            for i in range(count):
                # The other streams' records are spread evenly between this stream's, so that no order is preferred.
                j_even = (i + 0.5) * of_feed / count - 0.5
                further = i + part[stream] * max(j_even - i, 0.0)
                terms[n_terms] = max(part[stream] * (usual[feed] + also) + kappa[feed] * further, _SMALLEST)
                streams[n_terms] = stream
                n_terms += 1
    best = 0
    for profile in range(log_prior.size):
        cost = 0.0
        for feed in range(n_feeds):
            cost += _new_records(profile, feed, feeds, shared) * _cost(kappa[feed])
        start, stop = (n_records, whole) if generic[profile] else (0, n_terms)
        # What each record gains for one person, kept beside the terms.
        for term in range(start, stop):
            place = streams[term]
            if generic[profile]:
                q = _new_records(profile, place, feeds, shared)
            else:
                q = _new_records(profile, place // n_groups, feeds, shared) * names[profile, place]
            terms[2 * n_records + term] = q / terms[term]
        m = LEAST_PEOPLE
        for _ in range(_NEWTON_STEPS):
            slope, bend = -cost, 0.0
            for term in range(start, stop):
                ratio = terms[2 * n_records + term]
                if ratio > 0.0:
                    gain = ratio / (1.0 + m * ratio)
                    slope += gain
                    bend += gain * gain
            if slope <= 0.0 or bend <= 0.0:
                break
            step = slope / bend
            m += step
            if step < 1e-3 * m:
                break
        product, total = 1.0, -m * cost
        for term in range(start, stop):
            product *= 1.0 + m * terms[2 * n_records + term]
            if product > _LARGEST_PRODUCT:
                total += np.log(product)
                product = 1.0
        total += np.log(product)
        by_profile[profile] = total + log_prior[profile]
        people[profile] = m
        if by_profile[profile] > by_profile[best]:
            best = profile
    return best


@serial
def _cost(kappa: float) -> float:
    return float(np.log1p(kappa) / kappa) if kappa > 1e-9 else 1.0


@serial
def _new_records(profile: int, feed: int, feeds: Floats, shared: Floats) -> float:
    """Records of a person in a feed beyond those that earlier feeds let expect; never less than a stated part."""
    records = float(feeds[profile, feed])
    new = records
    for earlier in range(feed):
        new -= feeds[profile, earlier] * shared[earlier, feed]
    return max(new, _LEAST_NEW * records)


@serial
def ceiling(counts: Ints, usual: Floats, kappa: Floats, part: Floats) -> float:
    """Return what no profile and no number of people can exceed: every stream with the excess that suits it best."""
    n_feeds = usual.size
    n_groups = counts.size // n_feeds
    total = 0.0
    for feed in range(n_feeds):
        cost = _cost(kappa[feed])
        by_stream, of_feed = 0.0, 0
        for group in range(n_groups):
            stream = feed * n_groups + group
            of_feed += counts[stream]
            by_stream += _at_best(counts[stream], usual[feed] * part[stream] * cost)
        total += max(by_stream, _at_best(of_feed, usual[feed] * cost))
    return total


@serial
def _at_best(count: int, mean: float) -> float:
    mean = max(mean, _SMALLEST)
    return count * np.log(count / mean) - count + mean if count > mean else 0.0


@serial
def search_circles(
    centres: Ints,
    near: NDArray[np.int32],
    size: NDArray[np.int32],
    population: Floats,
    share: Floats,
    share_error: Floats,
    starts: Ints,
    streams_of: Ints,
    windows_of: Ints,
    total: Floats,
    total_error: Floats,
    part: Floats,
    spread: Floats,
    clumps: Floats,
    shift: float,
    overlap: Floats,
    also_here: Floats,
    area_population: Floats,
    feeds: Floats,
    names: Floats,
    generic: Flags,
    log_prior: Floats,
    log_window: Floats,
    floor: float,
    found: Floats,
) -> None:
    """Find the best circle and window around each centre.

    Only circles that end at an event, and windows that begin with one inside the circle, are looked at: any other holds
    the same events with more expected. ``found[centre] = score, rank, window, profile, people`` (score in natural log
    units, minus infinity where nothing reaches ``floor``).

    Shapes: centres (n_centres,); share, share_error (n_fine, n_feeds), the error times share squared; starts
    (n_fine + 1,) into streams_of and windows_of (n_events,), events sorted by small area; total, total_error, clumps
    (n_feeds, n_windows), the last of one small area; part (n_streams,); spread (n_feeds,), phi less 1 of a detection
    area; area_population (n_centres,), of the detection area around each centre; log_window (n_windows,).
    """
    n_feeds, n_windows = total.shape
    n_streams = part.size
    n_groups = n_streams // n_feeds
    n_profiles = log_prior.size
    counts = np.zeros((n_windows, n_streams), dtype=np.int64)
    feed_counts = np.zeros((n_windows, n_feeds), dtype=np.int64)
    begins = np.zeros(n_windows, dtype=np.int64)
    usual, kappa = np.zeros(n_feeds), np.zeros(n_feeds)
    shared = np.zeros((n_feeds, n_feeds))
    held, error = np.zeros(n_feeds), np.zeros(n_feeds)
    terms = np.zeros(4 * streams_of.size + 1)
    scratch = np.zeros(2 * streams_of.size + 1, dtype=np.int64)
    by_profile, people = np.zeros(n_profiles), np.zeros(n_profiles)
    highest_prior = log_prior.max()
    for row in range(centres.size):
        centre = centres[row]
        counts[:] = 0
        feed_counts[:] = 0
        begins[:] = 0
        held[:] = 0.0
        error[:] = 0.0
        living = 0.0
        best = -np.inf
        for rank in range(size[centre]):
            place = near[centre, rank]
            living += population[place]
            for feed in range(n_feeds):
                held[feed] += share[place, feed]
                error[feed] += share_error[place, feed]
            if starts[place] == starts[place + 1]:
                continue
            first = n_windows
            for event in range(starts[place], starts[place + 1]):
                stream = streams_of[event]
                begins[windows_of[event]] += 1
                first = min(first, windows_of[event])
                for window in range(windows_of[event], n_windows):
                    counts[window, stream] += 1
                    feed_counts[window, stream // n_groups] += 1
            log_place = np.log(living)
            cover = min(living / area_population[row], 1.0)
            for window in range(first, n_windows):
                if begins[window] == 0:
                    continue
                fewest = 0
                for feed in range(n_feeds):
                    fewest = max(fewest, feed_counts[window, feed])
                if fewest < LEAST_PEOPLE:
                    continue
                for feed in range(n_feeds):
                    usual[feed] = total[feed, window] * held[feed]
                    doubt = total_error[feed, window] + error[feed] / max(held[feed] * held[feed], 1e-30)
                    here = clumps[feed, window]
                    kappa[feed] = here + max(spread[feed] - here, 0.0) * cover + usual[feed] * (doubt + shift)
                offset = log_place + log_window[window]
                if ceiling(counts[window], usual, kappa, part) + highest_prior + offset <= max(best, floor):
                    continue
                shared_people(overlap, also_here, cover, shared)
                profile = evidence(
                    counts[window],
                    usual,
                    kappa,
                    part,
                    shared,
                    feeds,
                    names,
                    generic,
                    log_prior,
                    terms,
                    scratch,
                    by_profile,
                    people,
                )
                score = by_profile[profile] + offset
                if score > best and score >= floor:
                    best = score
                    found[row, 1] = rank
                    found[row, 2] = window
                    found[row, 3] = profile
                    found[row, 4] = people[profile]
        found[row, 0] = best


@serial
def rate_zones(
    counts: Ints,
    share: Floats,
    share_error: Floats,
    log_place: Floats,
    begins: Ints,
    total: Floats,
    total_error: Floats,
    part: Floats,
    spread: Floats,
    overlap: Floats,
    also_here: Floats,
    feeds: Floats,
    names: Floats,
    generic: Flags,
    log_prior: Floats,
    log_window: Floats,
    floor: float,
    found: Floats,
) -> None:
    """Find the best window of each given zone; as :func:`search_circles`.

    Shapes: counts (n_zones, n_windows, n_streams), events of the window; begins (n_zones, n_windows), events that only
    windows from this one on hold; share, share_error, spread (n_zones, n_feeds), the error relative and squared;
    log_place (n_zones,).
    """
    n_zones, n_windows, n_streams = counts.shape
    n_feeds = total.shape[0]
    n_groups = n_streams // n_feeds
    n_profiles = log_prior.size
    longest = 1
    for zone in range(n_zones):
        longest = max(longest, counts[zone, n_windows - 1].sum())
    feed_counts = np.zeros(n_feeds, dtype=np.int64)
    usual, kappa = np.zeros(n_feeds), np.zeros(n_feeds)
    shared = np.zeros((n_feeds, n_feeds))
    terms, scratch = np.zeros(4 * longest + 1), np.zeros(2 * longest + 1, dtype=np.int64)
    shared_people(overlap, also_here, 1.0, shared)
    by_profile, people = np.zeros(n_profiles), np.zeros(n_profiles)
    highest_prior = log_prior.max()
    for zone in range(n_zones):
        best = -np.inf
        for window in range(n_windows):
            if begins[zone, window] == 0:
                continue
            fewest = 0
            for feed in range(n_feeds):
                feed_counts[feed] = 0
                for group in range(n_groups):
                    feed_counts[feed] += counts[zone, window, feed * n_groups + group]
                fewest = max(fewest, feed_counts[feed])
                usual[feed] = total[feed, window] * share[zone, feed]
                kappa[feed] = spread[zone, feed] + usual[feed] * (
                    total_error[feed, window] + share_error[zone, feed]
                )
            if fewest < LEAST_PEOPLE:
                continue
            offset = log_place[zone] + log_window[window]
            if ceiling(counts[zone, window], usual, kappa, part) + highest_prior + offset <= max(best, floor):
                continue
            profile = evidence(
                counts[zone, window],
                usual,
                kappa,
                part,
                shared,
                feeds,
                names,
                generic,
                log_prior,
                terms,
                scratch,
                by_profile,
                people,
            )
            score = by_profile[profile] + offset
            if score > best and score >= floor:
                best = score
                found[zone, 1] = -1.0
                found[zone, 2] = window
                found[zone, 3] = profile
                found[zone, 4] = people[profile]
        found[zone, 0] = best
