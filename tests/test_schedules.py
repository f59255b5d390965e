"""The pool's promises under schedules: a quick slice of what ``tox -e fuzz`` searches."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from .mutants import MUTANTS, mutant
from .schedules import SCENARIOS, Scenario, anywhere, hunt, near
from .world import Violation


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL, logger="django_db_geventpool"):
        yield


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_every_single_event_at_every_switch_point_keeps_the_promises(number: int) -> None:
    runs = sum(1 for _ in near(SCENARIOS[number], places=1))
    assert runs > 20


def test_schedules_drawn_at_random_keep_the_promises() -> None:
    for seed in range(500):
        anywhere(seed)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_the_pool_is_found(name: str) -> None:
    module = mutant(name)
    with pytest.raises(Violation):
        hunt(module)


def test_a_schedule_can_be_repeated() -> None:
    one, again = anywhere(7), anywhere(7)
    assert one.world.trace and one.chosen == again.chosen
    assert one.scenario == again.scenario != Scenario()
