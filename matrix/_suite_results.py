"""How the tests of Django's suite ended with two engines, and what may differ between them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

GOOD = {"passed", "expected failure"}
#: "started" is left where a test ended without an outcome, "cut short" where its process ended.
BAD = {"failed", "error", "unexpected success", "started", "cut short"}

_KEPT = "a connection that CONN_MAX_AGE=None keeps at the end of a request; ours goes back then"
_POOL = "a test of Django's own pool, OPTIONS['pool'], which our engine refuses"
_HEALTH = "backends.base.test_base.ConnectionHealthChecksTests."
_TESTS = "backends.postgresql.tests.Tests."
#: Tests that pass with Django's engine and cannot pass with ours: test id, and the reason why.
#: Only tests of Django's own OPTIONS["pool"] and of persistent connections, which we refuse.
EXCEPTIONS = {
    _HEALTH + "test_health_checks_disabled": _KEPT,
    _HEALTH + "test_health_checks_enabled": _KEPT,
    _HEALTH + "test_health_checks_enabled_errors_occurred": _KEPT,
    _HEALTH + "test_set_autocommit_health_checks_enabled": _KEPT,
    _TESTS + "test_connect_pool": _POOL,
    _TESTS + "test_pool_check_can_be_overridden": _POOL,
    _TESTS + "test_pooling_health_checks": _POOL,
    _TESTS + "test_pooling_not_support_persistent_connections": _POOL,
}
#: The same with RELEASE="transaction".
RELEASE_EXCEPTIONS = {
    **EXCEPTIONS,
    "test_utils.tests.AssertNumQueriesUponConnectionTests."
    "test_ignores_connection_configuration_queries": "replaces ensure_connection() by a function "
    "that does not connect, and counts on a connection that stays",
}
del RELEASE_EXCEPTIONS[_HEALTH + "test_health_checks_disabled"]  # it passes there
MOST_EXCEPTIONS = 12
#: Tests that skip themselves where they do not know the ENGINE by its name: test id, and what for.
SKIPS = {
    "gis_tests.inspectapp.tests.OGRInspectTest.test_time_field": "OGR's driver for the database",
}


class Unusable(Exception):
    """Results that cannot be compared; the message is for a person."""


@dataclass
class Results:
    """One run of the suite with one engine."""

    environment: dict[str, Any]
    """What the run depends on; runs that differ in it are not compared."""
    outcomes: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    """Of what did not pass: the end of its traceback, or the reason of a skip."""
    seconds: float = 0.0
    date: str = ""

    def counts(self) -> dict[str, int]:
        return dict(Counter(self.outcomes.values()).most_common())

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, Any]) -> Results:
        """Those of an earlier run.

        :raises Unusable: if it is not one, or one of something else than *environment* says.
        """
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise Unusable(f"{path} has no results that can be read ({error}).") from None
        names = {*found.environment, *environment}
        different = [
            f"{name} {found.environment.get(name)!r}, and not {environment.get(name)!r}"
            for name in sorted(names)
            if found.environment.get(name) != environment.get(name)
        ]
        if different:
            raise Unusable(f"{path} is of another run: {'; '.join(different)}. Record it again.")
        return found


def read(lines: Iterable[str]) -> tuple[dict[str, str], dict[str, str], bool]:
    """The record of ``matrix._suite_runner``: outcomes, details, and whether the run was complete.

    Of several outcomes of one test a bad one stays, else the last.
    """
    outcomes: dict[str, str] = {}
    details: dict[str, str] = {}
    complete = False
    for line in lines:
        entry = json.loads(line)
        complete = complete or "end" in entry
        if "test" not in entry:
            continue
        test, outcome = entry["test"], entry["outcome"]
        if outcomes.get(test) in BAD - {"started"}:
            continue
        outcomes[test] = outcome
        if entry.get("detail"):
            details[test] = entry["detail"]
    return outcomes, details, complete


@dataclass(frozen=True)
class Comparison:
    """Test ids, sorted. The first three make a run fail."""

    failing: list[str]
    """They fail on ours and not on stock."""
    missing: list[str]
    """They pass on stock and were skipped, or never run, on ours."""
    stale: list[str]
    """Exceptions that are no longer needed: the test passes on both."""
    excepted: list[str]
    """They would be among the first two, but for an exception or a known skip."""
    only_stock: list[str]
    """They fail on stock and pass on ours."""
    both: list[str]
    """They fail on both."""
    unsteady: list[str] = field(default_factory=list)
    """They failed on ours in the run, and passed there when they were run again by themselves."""

    def after(self, second: Mapping[str, str]) -> Comparison:
        """With the outcomes of those that failed on ours, run once more.

        Some of Django's tests compare times, and fail on a machine that has other things to do.
        """
        unsteady = [test for test in self.failing if second.get(test) in GOOD]
        failing = [test for test in self.failing if test not in unsteady]
        return replace(self, failing=failing, unsteady=unsteady)

    @property
    def ok(self) -> bool:
        return not (self.failing or self.missing or self.stale)


def compare(
    stock: Mapping[str, str],
    ours: Mapping[str, str],
    exceptions: Iterable[str] = EXCEPTIONS,
    skips: Iterable[str] = SKIPS,
) -> Comparison:
    """Test by test. An exception for a test that stock did not pass here is left alone.

    :param skips: tests that may be left out on ours, but not fail.
    """
    exceptions, skips = set(exceptions), set(skips)
    good = {test for test, outcome in stock.items() if outcome in GOOD}
    bad = {test for test, outcome in stock.items() if outcome in BAD}
    good_here = {test for test, outcome in ours.items() if outcome in GOOD}
    bad_here = {test for test, outcome in ours.items() if outcome in BAD}
    failing = bad_here - bad
    missing = good - good_here - bad_here
    return Comparison(
        failing=sorted(failing - exceptions),
        missing=sorted(missing - exceptions - skips),
        stale=sorted((exceptions | skips) & good & good_here),
        excepted=sorted(exceptions & (failing | missing) | skips & missing),
        only_stock=sorted(bad & good_here),
        both=sorted(bad & bad_here),
    )
