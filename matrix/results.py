"""How a cell ended, kept in a file until its sources change."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import ABSENT, ROOT, claims
from .addresses import ServerUnavailable, named
from .cells import Cell

REPORT = ROOT / "matrix" / "report"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TAIL = 60
"""Lines of the log that the report shows of a cell that failed."""


@dataclass(frozen=True)
class Tests:
    """What pytest's JUnit file of a cell says."""

    __test__ = False  # nothing for pytest

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    """What ``tests/plugin_versions.py`` has found: Python, Django, driver, hub, server."""
    skips: Mapping[str, int] = field(default_factory=dict)
    """The reasons, and how many tests have each."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """The tests that failed, and the first line of what each says."""

    @property
    def ran(self) -> int:
        return self.passed + self.failed


@dataclass(frozen=True)
class Result:
    cell: str
    status: str
    reason: str = ""
    """One line; empty for a cell that passed."""
    seconds: float = 0.0
    tests: Tests = field(default_factory=Tests)
    tail: str = ""
    """The last lines of its log, if it failed."""
    fingerprint: str = ""
    arguments: tuple[str, ...] = ()
    """What pytest was given: with any, it was not the whole suite."""

    @property
    def summary(self) -> str:
        """``381 tests, 3 skipped, 74 s``."""
        parts = [f"{self.tests.ran} tests"] if self.tests.ran else []
        parts += [f"{self.tests.skipped} skipped"] if self.tests.skipped else []
        return ", ".join([*parts, f"{self.seconds:.0f} s"])


def judge(cell: Cell, code: int | None, tests: Tests | None, log: str, limit: float) -> Result:
    """What *cell* has come to.

    :param code: of tox; None if it was ended because its time was over.
    :param tests: None if pytest left no record.
    :param log: what tox and pytest printed.
    :param limit: seconds that it had.
    """
    found = tests or Tests()
    last = last_line(log, cell.name)
    if code == ABSENT and not found.ran:
        return Result(cell.name, SKIPPED, last or "it did not say why")
    if code is None:
        reason = f"no end within {limit:.0f} s"
    elif tests is None:
        reason = f"tox ended with {code}, without a record of tests: {last}"
    elif found.failed:
        reason = f"{found.failed} of {found.ran} tests failed"
    elif code:
        reason = f"tox ended with {code}: {last}"
    elif not found.ran:
        reason = "no test ran"
    else:
        reason = claims.broken(cell, found.versions)
    if not reason:
        return Result(cell.name, PASSED, tests=found)
    return Result(cell.name, FAILED, reason, tests=found, tail=tail(log))


def insist(result: Result) -> Result:
    """For CI, where a cell that could not run is a cell that failed."""
    if result.status != SKIPPED:
        return result
    return replace(result, status=FAILED, reason=f"{result.reason} (CI skips no cell)")


def last_line(log: str, cell: str) -> str:
    """The last that pytest (or what else ran) said, before tox told that it had ended."""
    said = re.split(rf"^{re.escape(cell)}: (?:exit|FAIL) ", log, maxsplit=1, flags=re.M)[0]
    lines = [line.strip(" !") for line in said.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return re.sub(r"^(_pytest\.outcomes\.)?Exit: ", "", last)


def tail(log: str, lines: int = TAIL) -> str:
    return "\n".join(log.rstrip().splitlines()[-lines:])


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_URL_PASSWORD = re.compile(r"(\w+://)[^\s/@]*@")
_NAME = r"""(?i)(passw\w*|secret\w*|token)(['"]?\s*[=:]\s*)"""
_VALUE = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[^\s'",;)&]+"""
_LIBRARIES = re.compile(r"(?<![\w/:])/[^\s:'\"]*?/((?:python|pypy)3\.\d+/)")
_HOMES = re.compile(r"(?:/root|/(?:home|Users)/[^/\s:'\"]+)(?=[/\s:'\"]|$)")


def clean(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Output without what is nobody's business: passwords, and where things are on this machine."""
    environ = os.environ if environ is None else environ
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    secrets = _secrets(environ)
    for secret in filter(_is_rare, secrets):
        text = text.replace(secret, "***")
    named_value = f"{_NAME}(?:{'|'.join([*map(re.escape, secrets), _VALUE])})"
    text = re.sub(named_value, r"\1\2***", _URL_PASSWORD.sub(r"\1***@", text))
    text = text.replace(f"{ROOT}/", "").replace(str(ROOT), ".")
    text = text.replace(str(Path.home()), "~") if len(str(Path.home())) > 1 else text
    return _HOMES.sub("~", _LIBRARIES.sub(r".../\1", text))


def _secrets(environ: Mapping[str, str]) -> list[str]:
    """What *environ* has of them, as libpq, a URL and ``repr`` write it; the longest first."""
    passwords = {environ.get("PGPASSWORD", "")}
    with contextlib.suppress(ServerUnavailable):
        server = named(environ)
        passwords.add(server.password if server else "")
    found = {environ.get("DATABASE_URL", "")}
    for each in passwords:
        found |= {each, quote(each, safe=""), repr(each)[1:-1]}
    return sorted(found - {""}, key=len, reverse=True)


def _is_rare(secret: str) -> bool:
    """Whether it can be left out wherever it stands.

    A short one is part of many words, and so is postgres: asterisks in their place would spoil the
    log and say what it is. Such a one is left out only where it is called a password.
    """
    return len(secret) >= 6 and secret not in "postgresql"


class Store:
    """The results, a file to a cell, in the report's folder."""

    def __init__(self, folder: Path = REPORT) -> None:
        self.folder = folder
        self.results = folder / "results"
        self.logs = folder / "logs"
        for each in (self.results, self.logs):
            each.mkdir(parents=True, exist_ok=True)

    def lock(self) -> int:
        """A descriptor that excludes other runs for as long as somebody has it open.

        The cells of a run inherit it, so that even after a run that was killed no tox environment
        is used twice at the same time.

        :raises BlockingIOError: if another run has it.
        """
        descriptor = os.open(self.results / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def log(self, cell: Cell) -> Path:
        return self.logs / f"{cell.name}.log"

    def junit(self, cell: Cell) -> Path:
        return self.results / f"{cell.name}.xml"

    def forget(self, cell: Cell) -> None:
        """Of a cell that starts: its log and JUnit file are soon those of another run."""
        for path in (self.junit(cell), self._result(cell.name)):
            path.unlink(missing_ok=True)

    def _result(self, name: str) -> Path:
        return self.results / f"{name}.json"

    def save(self, result: Result) -> None:
        write(self._result(result.cell), json.dumps(asdict(result), indent=1) + "\n")

    def load(self, cell: Cell) -> Result | None:
        """What is known of *cell*, of whatever sources; None also if it cannot be read."""
        try:
            text = self._result(cell.name).read_text(encoding="utf-8")
            values: dict[str, Any] = json.loads(text)
            values["tests"] = Tests(**values["tests"])
            values["arguments"] = tuple(values["arguments"])
            return Result(**values)
        except (OSError, ValueError, TypeError, KeyError):
            return None


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
