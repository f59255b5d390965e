"""Inside the process that runs Django's suite: writes down how each test ended.

One JSON object to a line, at once, so that whatever ends the process leaves what was before. The
first line of a test says that it started. A test on which the process ended is therefore known,
and a second process goes on with those that are not in the record.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.contrib.postgres.operations import CreateExtension
from django.db import connections
from django.db.models.signals import pre_migrate
from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases  # type: ignore[attr-defined]  # not in django-stubs

#: As much of a traceback as is kept, counted from its end, in characters.
MOST_DETAIL = 4000


class Record:
    """The file that the parent reads, named by the environment."""

    def __init__(self, path: str, limit: float) -> None:
        self._path = path
        self.seen: set[str] = set()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.seen = {json.loads(line)["test"] for line in file}
        self._limit = limit
        self._started = 0.0

    def write(self, **line: Any) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def note(self, test: unittest.TestCase, outcome: str, detail: str = "") -> None:
        """A subtest is noted as its test, every one of several outcomes: the reader chooses."""
        whole = getattr(test, "test_case", test)
        seconds = round(time.monotonic() - self._started, 3)
        self.write(test=whole.id(), outcome=outcome, seconds=seconds, detail=detail[-MOST_DETAIL:])

    def watch(self) -> None:
        """From now on, whatever takes longer than the limit ends the process, with tracebacks.

        By a thread of C's: a greenlet would not get its turn from a test that blocks them all.
        """
        self._started = time.monotonic()
        assert sys.__stderr__ is not None
        faulthandler.dump_traceback_later(self._limit, exit=True, file=sys.__stderr__)

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.watch()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


class RecordingResult(unittest.TextTestResult):
    record: Record

    def startTest(self, test: unittest.TestCase) -> None:
        self.record.watch()
        self.record.note(test, "started")
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.record.watch()  # what comes between tests has the same limit

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.record.note(test, "passed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.record.note(test, "error", self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.record.note(test, "failed", self.failures[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            is_failure = issubclass(err[0], test.failureException)
            told = self.failures if is_failure else self.errors
            self.record.note(test, "failed" if is_failure else "error", told[-1][1])

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.record.note(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.record.note(test, "expected failure")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.record.note(test, "unexpected success")


@contextmanager
def on_any_server() -> Iterator[None]:
    """Let the test databases be made on a server that was built without ICU or OpenSSL.

    Test models name a collation of ICU's: there it is another's name, so that what asks for the
    Swedish order fails and the rest can run. Extensions that the server cannot install (pgcrypto,
    uuid-ossp) count as installed while the databases are made; what uses them fails.
    """

    def name_collation(using: str, **_: object) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute('CREATE COLLATION IF NOT EXISTS "sv-x-icu" FROM "C"')

    def no_need_to_create(_: object, schema_editor: Any, extension: str) -> bool:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_available_extensions "
                "WHERE name = %s AND installed_version IS NULL",
                [extension],
            )
            return cursor.fetchone() is None

    pre_migrate.connect(name_collation)
    with mock.patch.object(CreateExtension, "extension_exists", no_need_to_create):
        try:
            yield
        finally:
            pre_migrate.disconnect(name_collation)


class RecordingRunner(DiscoverRunner):
    """Django's runner. Those that Django's tests of its runner make do not write to the record."""

    record: Record | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        path = os.environ.pop("DJANGOSUITE_RECORD", None)
        if path is not None:
            self.record = Record(path, float(os.environ.pop("DJANGOSUITE_TEST_LIMIT")))

    def build_suite(self, *args: Any, **kwargs: Any) -> Any:
        suite = super().build_suite(*args, **kwargs)
        if self.record is None or not self.record.seen:
            return suite
        seen = self.record.seen
        return self.test_suite(test for test in iter_test_cases(suite) if test.id() not in seen)

    def setup_databases(self, **kwargs: Any) -> Any:
        if self.record is None:
            return super().setup_databases(**kwargs)
        with on_any_server():
            return super().setup_databases(**kwargs)

    def get_resultclass(self) -> Any:
        if self.record is None:
            return super().get_resultclass()
        return type("Result", (RecordingResult,), {"record": self.record})

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        if self.record is None:
            return super().run_suite(suite, **kwargs)
        with self.record.watching():
            return super().run_suite(suite, **kwargs)

    def run_tests(self, *args: Any, **kwargs: Any) -> Any:
        failures = super().run_tests(*args, **kwargs)
        if self.record is not None:
            self.record.write(end=True)  # also the test databases are gone
        return failures
