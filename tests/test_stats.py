"""What a pool counts, in a world with a clock of its own."""

from __future__ import annotations

from typing import Any

import pytest

from django_db_geventpool.stats import BOUNDS, Histogram, Times

from .plugin_world import Client, make_pool, use
from .world import Opener, World


def times(*seconds: float) -> Histogram:
    made = Times()
    for each in seconds:
        made.add(each)
    return made.histogram()


def test_a_time_counts_in_the_first_bucket_that_it_fits_in() -> None:
    histogram = times(0.0, BOUNDS[0], BOUNDS[1], 31.0, 7200.0)
    assert histogram.counts == (2, 1, *(0 for _ in BOUNDS[2:]), 2)
    assert histogram.count == 5
    assert histogram.total == pytest.approx(7231.003)


def test_what_was_lent_and_for_how_long_is_counted(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=2)
    client = Client(world, pool)
    assert (pool.stats().checkouts, pool.stats().use_time.count) == (1, 0)
    world.pass_time(0.3)
    client.give()
    use(world, pool)
    assert pool.stats().checkouts == 2
    assert pool.stats().use_time == times(0.3, 0.0)
    assert pool.stats().connects == 1


def test_who_had_to_wait_is_counted_with_the_time_that_it_took(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    first = Client(world, pool)
    assert pool.stats().wait_time == times(0.0)  # for its connect
    second = Client(world, pool)
    world.pass_time(4)
    first.give()
    assert second.checkout is not None
    assert pool.stats().wait_time == times(0.0, 4.0)
    second.give()
    use(world, pool)
    assert pool.stats().waits == 2


def test_who_waits_in_vain_is_counted_as_a_timeout(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1, WAIT_TIMEOUT=5)
    holder = Client(world, pool)
    late = Client(world, pool)
    world.pass_time(5)
    assert late.error is not None
    assert (pool.stats().timeouts, pool.stats().waits) == (1, 1)
    holder.give()


@pytest.mark.parametrize(
    ("reason", "options", "seconds"),
    [
        ("surplus", {"REUSE_CONNS": 0}, 0),
        ("idle", {"MAX_IDLE": 5}, 5),
        ("lifetime", {"MAX_LIFETIME": 5, "MAX_IDLE": None}, 5),
    ],
)
def test_a_discard_is_counted_with_its_reason(
    world: World, reason: str, options: dict[str, Any], seconds: int
) -> None:
    pool = make_pool(world, **options)
    use(world, pool)
    world.pass_time(seconds)
    assert pool.stats().discards == {reason: 1}


def test_a_session_that_the_server_has_ended_is_counted_as_gone(world: World) -> None:
    pool = make_pool(world)
    use(world, pool)
    world.sessions[0].end()
    use(world, pool)
    stats = pool.stats()
    assert (stats.discards, stats.connects) == ({"gone": 1}, 2)
    # It was lent for a moment: a counter that took that back would fall.
    assert (stats.checkouts, stats.use_time.count) == (3, 2)


def test_what_comes_back_broken_is_counted_as_unfit(world: World) -> None:
    pool = make_pool(world)
    client = Client(world, pool)
    world.sessions[0].end()
    client.checkout.connection.close()
    client.give()
    assert pool.stats().discards == {"unfit": 1}


def test_what_makes_room_for_other_settings_is_counted_as_needed(world: World) -> None:
    pool = make_pool(world, MAX_CONNS=1)
    use(world, pool)
    other = Client(world, pool, Opener(world))
    assert pool.stats().discards == {"needed": 1}
    other.give()


def test_what_is_closed_with_its_pool_is_counted(world: World) -> None:
    pool = make_pool(world)
    use(world, pool)
    client = Client(world, pool)
    world.start("closer", pool.close, 0)
    world.pass_time(0)
    client.give()
    assert pool.stats().discards == {"closed": 1}


def test_a_connect_that_fails_is_counted_and_discards_nothing(world: World) -> None:
    pool = make_pool(world)
    opener = Opener(world)

    def fail(connection: Any) -> None:
        raise ValueError("the set-up of a site that fails")

    opener.set_up = fail  # type: ignore[method-assign]
    client = Client(world, pool, opener)
    assert client.error is not None
    stats = pool.stats()
    assert (stats.failed_connects, stats.connects, stats.discards) == (1, 0, {})


def test_a_connection_that_is_taken_back_from_an_ended_greenlet_is_counted(world: World) -> None:
    pool = make_pool(world)
    client = Client(world, pool)
    client.owner_ended = lambda: True  # type: ignore[method-assign]
    world.make_ready(client.task)
    world.settle()
    assert pool.stats().reclaims == 1
    assert pool.stats().idle == 1
