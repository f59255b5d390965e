"""Django's own tests with two engines: the comparison is only worth something if it can fail."""

from __future__ import annotations

import io
import json
import unittest
from pathlib import Path
from typing import Any

import pytest

from matrix import djangosuite
from matrix._suite_results import (
    EXCEPTIONS,
    MOST_EXCEPTIONS,
    RELEASE_EXCEPTIONS,
    Results,
    Unusable,
    compare,
    read,
)
from matrix._suite_runner import Record, RecordingResult

ENVIRONMENT = {"Django": "5.2.19", "driver": "psycopg 3.3.9", "apps": ["backends"]}
STOCK = {
    "good": "passed",
    "expected": "expected failure",
    "bad": "failed",
    "left out": "skipped",
}


def differs(*exceptions: str, skip: str = "", **changed: str | None) -> dict[str, Any]:
    """What a comparison finds, besides what fails with both; None for a test that was not run."""
    ours = {test: how for test, how in {**STOCK, **changed}.items() if how is not None}
    found = compare(STOCK, ours, exceptions, [skip])
    told = {name: value for name, value in vars(found).items() if value and name != "both"}
    return {**told, "ok": found.ok}


# -- the comparison


def test_the_same_results_pass() -> None:
    assert differs() == {"ok": True}


@pytest.mark.parametrize("how", ["failed", "error", "unexpected success", "cut short", "started"])
def test_whatever_is_no_success_with_ours_alone_is_a_failure(how: str) -> None:
    assert differs(good=how) == {"failing": ["good"], "ok": False}
    assert differs(expected=how) == {"failing": ["expected"], "ok": False}
    assert differs(**{"left out": how}) == {"failing": ["left out"], "ok": False}


def test_a_fixture_of_a_class_that_fails_with_ours_alone_is_a_failure() -> None:
    ours: dict[str, Any] = {"setUpClass (good)": "error", "good": None}
    assert differs(**ours) == {"failing": ["setUpClass (good)"], "missing": ["good"], "ok": False}


@pytest.mark.parametrize("how", ["skipped", None])
def test_a_test_that_passed_must_not_be_left_out(how: str | None) -> None:
    assert differs(good=how) == {"missing": ["good"], "ok": False}


def test_what_fails_with_both_in_whatever_way_is_no_difference() -> None:
    assert differs(bad="error") == {"ok": True}


def test_what_fails_with_stock_alone_is_told_and_passes() -> None:
    assert differs(bad="passed") == {"only_stock": ["bad"], "ok": True}


def test_what_fails_with_ours_once_and_passes_again_is_told_and_passes() -> None:
    comparison = compare({"a": "passed", "b": "passed"}, {"a": "failed", "b": "failed"}, (), ())
    again = comparison.after({"a": "passed", "b": "failed"})
    assert (again.unsteady, again.failing, again.ok) == (["a"], ["b"], False)
    assert comparison.after({"a": "passed", "b": "passed"}).ok


def test_an_exception_covers_the_test_that_it_names() -> None:
    assert differs("good", good="failed") == {"excepted": ["good"], "ok": True}
    assert differs("good", good=None) == {"excepted": ["good"], "ok": True}
    assert differs("goo", good="failed") == {"failing": ["good"], "ok": False}


def test_an_exception_that_is_no_longer_needed_fails() -> None:
    assert differs("good") == {"stale": ["good"], "ok": False}


def test_a_known_skip_may_be_left_out_and_may_not_fail() -> None:
    assert differs(skip="good", good="skipped") == {"excepted": ["good"], "ok": True}
    assert differs(skip="good", good="failed") == {"failing": ["good"], "ok": False}
    assert differs(skip="good") == {"stale": ["good"], "ok": False}


@pytest.mark.parametrize("name", ["left out", "bad", "of another app"])
def test_an_exception_for_what_stock_did_not_pass_is_left_alone(name: str) -> None:
    assert differs(name) == {"ok": True}


def test_exceptions_are_few_and_each_has_a_reason() -> None:
    for exceptions in (EXCEPTIONS, RELEASE_EXCEPTIONS):
        assert len(exceptions) <= MOST_EXCEPTIONS
        assert all(exceptions.values())


# -- the report


def test_the_report_names_what_differs_and_ends_with_the_verdict() -> None:
    ours = Results(
        ENVIRONMENT, {**STOCK, "good": "error"}, {"good": "Traceback ...\nKeyError: 1\n"}
    )
    said = djangosuite.report(compare(STOCK, ours.outcomes), ours).splitlines()
    assert said == [
        "1 fail with our engine, and not with Django's",
        "  good  (KeyError: 1)",
        "1 fail with both",
        "VERDICT: FAILED",
    ]
    assert djangosuite.report(compare(STOCK, STOCK), ours).endswith("\nVERDICT: passed")


# -- kept results


def test_kept_results_are_read_again(tmp_path: Path) -> None:
    kept = Results(ENVIRONMENT, STOCK, {"left out": "no Oracle"}, 1.5, "2026-01-01")
    kept.save(tmp_path / "stock")
    assert Results.load(tmp_path / "stock", ENVIRONMENT) == kept


@pytest.mark.parametrize("other", [{"Django": "6.0"}, {"apps": []}, {"server": "18.6"}])
def test_results_of_another_environment_are_refused(other: dict[str, Any], tmp_path: Path) -> None:
    Results(ENVIRONMENT, STOCK).save(tmp_path / "stock")
    (name,) = other
    with pytest.raises(Unusable, match=f"of another run: {name} "):
        Results.load(tmp_path / "stock", {**ENVIRONMENT, **other})


@pytest.mark.parametrize("text", ["", "[]", '{"tests": 1}'])
def test_a_file_without_results_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "stock").write_text(text)
    with pytest.raises(Unusable, match="no results"):
        Results.load(tmp_path / "stock", ENVIRONMENT)


# -- the record of a run


class Endings(unittest.TestCase):
    """A test for each way to end."""

    __test__ = False  # not for pytest

    def test_passes(self) -> None:
        pass

    def test_fails(self) -> None:
        self.fail("on purpose")

    def test_raises(self) -> None:
        raise KeyError("on purpose")

    def test_skips(self) -> None:
        self.skipTest("a reason")

    @unittest.expectedFailure
    def test_fails_as_expected(self) -> None:
        self.fail("on purpose")

    @unittest.expectedFailure
    def test_passes_unexpectedly(self) -> None:
        pass

    def test_fails_in_a_subtest(self) -> None:
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)

    def test_skips_in_a_subtest_after_a_failure(self) -> None:
        with self.subTest(number=1):
            self.fail("on purpose")
        with self.subTest(number=2):
            self.skipTest("a reason")

    def test_skips_in_a_subtest(self) -> None:
        with self.subTest(number=1):
            self.skipTest("a reason")


class NoFixture(unittest.TestCase):
    __test__ = False

    @classmethod
    def setUpClass(cls) -> None:
        raise KeyError("on purpose")

    def test_never_run(self) -> None:
        pass


def run(path: Path, *cases: type[unittest.TestCase]) -> None:
    record = Record(str(path), 60)
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    result = type("Result", (RecordingResult,), {"record": record})
    with record.watching():
        suite = unittest.TestSuite(load(case) for case in cases)
        unittest.TextTestRunner(stream=io.StringIO(), resultclass=result).run(suite)


def test_every_ending_is_in_the_record(tmp_path: Path) -> None:
    run(tmp_path / "record", Endings, NoFixture)
    with open(tmp_path / "record") as file:
        outcomes, details, complete = read(file)
    assert not complete
    assert {name.rpartition(".")[2].rstrip(")"): how for name, how in outcomes.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_raises": "error",
        "test_skips": "skipped",
        "test_fails_as_expected": "expected failure",
        "test_passes_unexpectedly": "unexpected success",
        "test_fails_in_a_subtest": "failed",
        "test_skips_in_a_subtest_after_a_failure": "failed",
        "test_skips_in_a_subtest": "skipped",
        "NoFixture": "error",
    }
    assert f"setUpClass ({__name__}.NoFixture)" in outcomes
    assert "KeyError: 'on purpose'" in details[f"{__name__}.Endings.test_raises"]


def test_a_record_that_goes_on_knows_what_was_in_it(tmp_path: Path) -> None:
    run(tmp_path / "record", Endings)
    again = Record(str(tmp_path / "record"), 60)
    again.write(end=True)
    assert f"{__name__}.Endings.test_passes" in again.seen
    with open(tmp_path / "record") as file:
        outcomes, _, complete = read(file)
    assert complete and len(outcomes) == 9


def test_a_test_on_which_the_process_ended_is_left_as_started() -> None:
    lines = [{"test": "one", "outcome": "passed"}, {"test": "two", "outcome": "started"}]
    assert read(map(json.dumps, lines))[0] == {"one": "passed", "two": "started"}
