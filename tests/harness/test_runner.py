"""The runner of the matrix, on a tox that only pretends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import matrix.__main__ as main
from matrix import ROOT, claims, junit, lock, runner, sources
from matrix.addresses import Server
from matrix.cells import Cell, cells
from matrix.results import FAILED, PASSED, SKIPPED, Store, clean, judge

from ..tasks import until

ONE, TWO, MAY_FAIL = (
    "py312-django52-psycopg3",
    "py39-django42-psycopg2",
    "py314-djangomain-psycopg3",
)
VERSIONS = {
    ONE: {
        "Python": "3.12.1 (CPython)",
        "Django": "5.2.9",
        "psycopg": "3.3.1",
        "Hub": "gevent 25.9",
    },
    TWO: {"Python": "3.9.2 (CPython)", "Django": "4.2.3", "psycopg2": "2.9", "Hub": "gevent 25.9"},
    MAY_FAIL: {
        "Python": "3.14.1 (CPython)",
        "Django": "6.2 (alpha)",
        "psycopg": "3.3.1",
        "Hub": "gevent 25.9",
    },
}
PASSES = '<testcase classname="tests.test_a" name="test_a" time="0.1"/>'
FAILS = (
    '<testcase classname="t" name="test_b"><failure message="it is&#10;so">...</failure></testcase>'
)
SKIPS = '<testcase classname="t" name="test_c"><skipped message="no PostGIS"/></testcase>'


class Tox:
    """A program that does for each cell what the test says, and writes down that it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "report")
        self._plans: dict[str, dict[str, Any]] = {}
        (folder / "tox.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
        for name in VERSIONS:
            self.will(name)

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(self.folder / "tox.py"), str(self.folder)]

    def will(
        self, name: str, *cases: str, code: int = 0, says: str = "", hangs: bool = False
    ) -> None:
        """*cases*: what is in the JUnit file; without any, a test that passed."""
        properties = "".join(
            f'<property name="{key}" value="{value}"/>' for key, value in VERSIONS[name].items()
        )
        inside = f"<properties>{properties}</properties>{''.join(cases or [PASSES])}"
        plan = {
            "junit": "" if "none" in cases else f"<testsuite>{inside}</testsuite>",
            "code": code,
            "says": says,
            "hangs": hangs,
        }
        self._plans[name] = plan
        (self.folder / "plans.json").write_text(json.dumps(self._plans), encoding="utf-8")

    def run(self, *arguments: str) -> int:
        return main.main(arguments, self.store, self.command)

    def asked(self) -> list[str]:
        """The cells since the last time."""
        file = self.folder / "asked"
        found = file.read_text(encoding="utf-8").split() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(found)

    def result(self, name: str) -> Any:
        (cell,) = (each for each in cells() if each.name == name)
        return self.store.load(cell)


PROGRAM = """
import json, os, pathlib, signal, sys, threading
folder, arguments = pathlib.Path(sys.argv[1]), sys.argv[2:]
name = arguments[arguments.index("-e") + 1]
plan = json.loads((folder / "plans.json").read_text())[name]

def note(file):
    with open(folder / file, "a") as notes:
        notes.write(name + "\\n")

def interrupted(*_):
    note("interrupted")
    sys.exit(130)

signal.signal(signal.SIGINT, interrupted)
note("asked")
print(plan["says"], flush=True)
if plan["hangs"]:
    signal.pause()
file = next(each for each in arguments if each.startswith("--junitxml="))[len("--junitxml="):]
if plan["junit"]:
    pathlib.Path(file).write_text(plan["junit"])
print(f"{name}: exit {plan['code']} (0.1 seconds) /somewhere> python -m pytest pid=1")
print(f"  {name}: FAIL code {plan['code']}")
sys.exit(plan["code"])
"""


@pytest.fixture
def tox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tox:
    for name in ("CI", "DATABASE_URL", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    commands = tmp_path / "bin"
    commands.mkdir()
    for cell in cells():
        (commands / cell.interpreter).unlink(missing_ok=True)
        (commands / cell.interpreter).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return Tox(tmp_path)


# -- what a cell has come to


def test_cells_that_pass_are_shown_one_to_a_line(
    tox: Tox, capsys: pytest.CaptureFixture[str]
) -> None:
    tox.will(ONE, PASSES, SKIPS)
    assert tox.run("--jobs", "1", "--only", ONE, TWO) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 cells to run, 1 at a time"
    assert lines[1] == f"[1/2] {TWO} passed, 1 tests, {tox.result(TWO).seconds:.0f} s"
    assert lines[2].startswith(f"[2/2] {ONE} passed, 1 tests, 1 skipped, ")
    assert tox.asked() == [ONE, TWO]


def test_a_test_that_fails_makes_the_cell_and_the_run_fail(tox: Tox) -> None:
    tox.will(ONE, PASSES, FAILS, code=1, says="the log")
    assert tox.run("--only", ONE, TWO) == 1
    result = tox.result(ONE)
    assert (result.status, result.reason) == (FAILED, "1 of 2 tests failed")
    assert result.tests.failures == {"t.test_b": "it is"} and "the log" in result.tail


def test_77_is_a_cell_whose_server_is_absent_with_the_last_line_as_the_reason(tox: Tox) -> None:
    tox.will(ONE, "none", code=77, says="something\nExit: no PostGIS here\n")
    assert tox.run("--only", ONE, TWO) == 0
    assert (tox.result(ONE).status, tox.result(ONE).reason) == (SKIPPED, "no PostGIS here")


def test_77_is_a_failure_once_a_test_has_run(tox: Tox) -> None:
    tox.will(ONE, PASSES, FAILS, code=77)
    tox.will(TWO, PASSES, code=77, says="the last line")
    assert tox.run("--only", ONE, TWO) == 1
    assert (tox.result(ONE).status, tox.result(ONE).reason) == (FAILED, "1 of 2 tests failed")
    assert (tox.result(TWO).status, tox.result(TWO).reason) == (
        FAILED,
        "tox ended with 77: the last line",
    )


def test_an_interpreter_that_is_not_there_is_named(tox: Tox) -> None:
    (tox.folder / "bin" / "python3.12").unlink()
    (tox.folder / "bin" / "python3.12").symlink_to("/bin/false")
    assert tox.run("--only", ONE, TWO) == 0
    assert tox.result(ONE).reason == "no python3.12 on PATH that answers"
    assert tox.asked() == [TWO]


def test_in_ci_a_cell_that_cannot_run_has_failed(tox: Tox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    tox.will(ONE, "none", code=77, says="no PostGIS here")
    assert tox.run("--only", ONE, TWO) == 1
    assert tox.result(ONE).status == FAILED
    assert tox.result(ONE).reason == "no PostGIS here (CI skips no cell)"


def test_no_cell_that_could_run_is_no_success(tox: Tox, capsys: pytest.CaptureFixture[str]) -> None:
    tox.will(ONE, "none", code=77, says="no PostGIS here")
    assert tox.run("--only", ONE) == 2
    assert "no cell could run here" in capsys.readouterr().err


@pytest.mark.parametrize("cases", [(SKIPS,), ("<!-- none at all -->",)])
def test_a_cell_in_which_no_test_ran_has_failed(cases: tuple[str, ...], tox: Tox) -> None:
    tox.will(ONE, *cases)
    assert tox.run("--only", ONE) == 1
    assert tox.result(ONE).reason == "no test ran"


def test_a_cell_that_cannot_be_installed_has_failed_and_says_so(tox: Tox) -> None:
    tox.will(ONE, "none", code=2, says="error: no such version")
    assert tox.run("--only", ONE) == 1
    assert "error: no such version" in tox.result(ONE).reason


def test_a_cell_may_fail_by_name_and_the_run_passes(tox: Tox) -> None:
    tox.will(MAY_FAIL, PASSES, FAILS)  # tox is told to ignore it, and ends with 0
    assert tox.run("--only", MAY_FAIL) == 0
    assert tox.result(MAY_FAIL).status == FAILED


def test_a_cell_that_does_not_end_is_ended_and_has_failed(tox: Tox) -> None:
    tox.will(ONE, hangs=True)
    assert tox.run("--only", ONE, "--limit", "2") == 1
    assert tox.result(ONE).reason == "no end within 2 s"
    assert (tox.folder / "interrupted").read_text().split() == [ONE]


@pytest.mark.parametrize(
    ("cell", "name", "found"),
    [
        (ONE, "Python", "3.1.2 (CPython)"),
        (ONE, "Python", "3.12.1 (PyPy 7.3)"),
        (ONE, "Django", "5.1.9"),
        (ONE, "psycopg", ""),
        (ONE, "Hub", "eventlet 0.41"),
        (TWO, "psycopg2", ""),
        (TWO, "psycopg", "3.3.1"),
        (MAY_FAIL, "Django", "6.1.3"),
    ],
)
def test_a_cell_that_ran_on_something_else_has_failed(cell: str, name: str, found: str) -> None:
    (one,) = (each for each in cells() if each.name == cell)
    assert claims.broken(one, VERSIONS[cell]) == ""
    assert f"ran on {name} {found or 'none'}" in claims.broken(one, {**VERSIONS[cell], name: found})
    tests = junit.Tests(passed=1, versions={**VERSIONS[cell], name: found})
    assert judge(one, 0, tests, "", 900).status == FAILED


def test_a_cell_of_a_server_must_have_run_on_it() -> None:
    on_15 = Cell("py312", "django52", "psycopg3", "pg15")
    postgis = replace(on_15, variant="postgis")
    pypy = Cell("pypy311", "django52", "psycopg2cffi")
    versions = {**VERSIONS[ONE], "PostgreSQL": "15.9"}
    assert claims.broken(on_15, versions) == ""
    assert claims.broken(on_15, {**versions, "Django": "5.2", "PostgreSQL": "15devel"}) == ""
    assert "PostgreSQL 15" in claims.broken(on_15, {**versions, "PostgreSQL": "18.1"})
    assert "ran on PostGIS none" in claims.broken(postgis, versions)
    on_pypy = {
        "Python": "3.11.13 (PyPy 7.3)",
        "Django": "5.2.9",
        "psycopg2cffi": "2.9",
        "Hub": "gevent",
    }
    assert claims.broken(pypy, on_pypy) == ""
    bouncer = replace(on_15, variant="pgbouncer")
    assert "ran on PgBouncer none" in claims.broken(bouncer, versions)
    assert claims.broken(bouncer, {**versions, "PgBouncer": "1.18.0"}) == ""
    assert (
        claims.broken(replace(on_15, variant="eventlet"), {**versions, "Hub": "eventlet 1"}) == ""
    )


@pytest.mark.parametrize("driver", lock.MIN_DRIVERS)
def test_a_cell_of_the_lowest_versions_must_have_run_on_those_of_its_lock(driver: str) -> None:
    text = lock.min_lock(driver).read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^(\S+)==(\S+)", text, re.M))
    name = {"psycopg3": "psycopg"}.get(driver, driver)
    versions = {
        "Python": "3.9.2 (CPython)",
        "Django": pinned["django"],
        "Hub": f"gevent {pinned['gevent']}",
        name: pinned["psycopg" if driver == "psycopg3" else "psycopg2-binary"],
    }
    cell = Cell("py39", "django42", driver, "min")
    assert claims.broken(cell, versions) == ""
    for other in ("Django", "Hub", name):
        newer = {**versions, other: f"{versions[other]}.1"}
        assert "the lowest, and ran on" in claims.broken(cell, newer)


# -- what is run again


def test_a_rerun_runs_only_what_has_no_result_for_these_sources(
    tox: Tox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tox.will(TWO, FAILS, code=1)
    assert tox.run("--only", ONE) == 0
    assert tox.asked() == [ONE]
    assert tox.run("--only", ONE, TWO) == 1
    assert tox.asked() == [TWO]
    assert tox.run("--only", ONE, TWO) == 1  # what is known counts
    assert tox.asked() == []
    assert tox.run("--only", ONE, TWO, "--again") == 1
    assert tox.asked() == [ONE, TWO]
    monkeypatch.setattr(sources, "fingerprint", lambda: "other sources")
    assert tox.run("--only", ONE) == 0
    assert tox.asked() == [ONE]


def test_what_was_skipped_is_tried_again(tox: Tox) -> None:
    tox.will(ONE, "none", code=77, says="no PostGIS here")
    assert tox.run("--only", ONE, TWO) == 0
    tox.asked()
    assert tox.run("--only", ONE, TWO) == 0
    assert tox.asked() == [ONE]


def test_the_failed_can_be_run_alone_on_other_sources_too(
    tox: Tox, monkeypatch: pytest.MonkeyPatch
) -> None:
    tox.will(ONE, FAILS, code=1)
    assert tox.run("--only", ONE, TWO) == 1
    tox.asked()
    tox.will(ONE)
    monkeypatch.setattr(sources, "fingerprint", lambda: "other sources")
    assert tox.run("--failed") == 0
    assert tox.asked() == [ONE]
    assert tox.run("--failed") == 2


def test_only_some_of_the_tests_are_no_result_for_all_of_them(tox: Tox) -> None:
    assert tox.run("--only", ONE, "--", "tests/test_pool.py") == 0
    assert tox.result(ONE).arguments == ("tests/test_pool.py",)
    assert "Partial" in (tox.store.folder / "index.html").read_text(encoding="utf-8")
    tox.asked()
    assert tox.run("--only", ONE) == 0
    assert tox.asked() == [ONE]
    assert "Partial" not in (tox.store.folder / "index.html").read_text(encoding="utf-8")


def test_the_fingerprint_is_that_of_the_sources_and_not_of_the_report(tmp_path: Path) -> None:
    for name in (
        "tests/test_a.py",
        "matrix/report/index.html",
        "tests/__pycache__/a",
        "tests/harness/a",
        "tests/servers/a",
        "tests/docs/a",
        "docs/start.md",
        "uv.lock",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    seen = [sources.fingerprint(tmp_path)]
    for name in (
        "matrix/report/index.html",
        "tests/__pycache__/a",
        "tests/harness/a",
        "tests/servers/a",
        "tests/docs/a",
        "docs/start.md",
        "README.md",
    ):
        (tmp_path / name).write_text("after")
        assert sources.fingerprint(tmp_path) == seen[0]
    for name in ("tests/test_a.py", "uv.lock", "matrix/new.py"):
        (tmp_path / name).write_text("after")
        seen.append(sources.fingerprint(tmp_path))
    assert len(set(seen)) == 4


# -- how it is asked


def test_a_pattern_that_matches_no_cell_is_refused(
    tox: Tox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tox.run("--only", "py312-*", "py27-*") == 2
    assert "no cell is named py27-*" in capsys.readouterr().err
    assert tox.asked() == []


def test_patterns_select(tox: Tox, capsys: pytest.CaptureFixture[str]) -> None:
    assert tox.run("--list", "--only", "py39-*-psycopg2", "pypy39-*") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{TWO}: not run", "pypy39-django42-psycopg2cffi: not run"]


def test_a_list_whose_reader_leaves_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "matrix", "--list"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_second_run_at_the_same_time_is_refused(
    tox: Tox, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tox.store.lock()
    assert tox.run("--only", ONE) == 2
    assert "another run is under way" in capsys.readouterr().err
    os.close(lock)
    assert tox.run("--only", ONE) == 0


def test_cells_do_not_share_a_server_that_the_user_names(
    tox: Tox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hidden@db/name")
    assert tox.run("--only", ONE, "--jobs", "2") == 2
    assert tox.run("--only", ONE, TWO) == 0
    captured = capsys.readouterr()
    assert "2 cells to run, 1 at a time" in captured.out and "hidden" not in captured.err


def test_cells_for_which_tox_builds_the_package_take_turns() -> None:
    lowest = Cell("py39", "django42", "psycopg2", "min")
    others = [replace(lowest, driver="psycopg3"), Cell("py39", "django42", "psycopg2")]

    class Running:
        cell = lowest

    assert runner._next(others, [Running()]) is others[1]  # type: ignore[list-item]
    assert runner._next(others[:1], [Running()]) is None  # type: ignore[list-item]


def test_the_figures_and_the_merged_record_have_every_cell(tox: Tox) -> None:
    tox.will(ONE, PASSES, FAILS, code=1)
    file = tox.folder / "figures.json"
    assert tox.run("--only", ONE, TWO, "--json", str(file)) == 1
    figures = json.loads(file.read_text())
    assert figures["counts"]["passed"] == figures["counts"]["failed"] == 1
    assert figures["cells"][TWO]["tests"]["versions"] == VERSIONS[TWO]
    root = ElementTree.parse(tox.store.folder / "junit.xml").getroot()
    assert [suite.get("name") for suite in root] == [TWO, ONE]
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    assert [case.get("name") for case in root.iter("testcase")] == [TWO, "t.test_b", ONE]


# -- ended early

RUN = """
import pathlib, sys
from matrix.__main__ import main
from matrix.results import Store
folder = pathlib.Path(sys.argv[1])
tox = [sys.executable, str(folder / "tox.py"), str(folder)]
sys.exit(main(["--jobs", "1", "--only", *sys.argv[2:]], Store(folder / "report"), tox))
"""


def test_a_cell_that_was_ended_has_no_longer_the_result_of_the_run_before(tox: Tox) -> None:
    assert tox.run("--only", ONE, TWO) == 0
    tox.will(ONE, hangs=True)
    tox.asked()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tox.folder), TWO, ONE, "--again"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    asked = tox.folder / "asked"
    until(lambda: asked.exists() and asked.read_text().split() == [TWO, ONE])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert tox.result(TWO).status == PASSED and tox.result(ONE) is None
    tox.asked()
    tox.will(ONE)
    assert tox.run("--only", ONE, TWO) == 0  # goes on from there
    assert tox.asked() == [ONE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_ends_its_cells_and_still_writes_the_page(
    number: int, tox: Tox
) -> None:
    tox.will(ONE, hangs=True)
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tox.folder), TWO, ONE], cwd=ROOT, stderr=subprocess.PIPE
    )
    asked = tox.folder / "asked"
    until(lambda: asked.exists() and asked.read_text().split() == [TWO, ONE])
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert (tox.folder / "interrupted").read_text().split() == [ONE]
    assert tox.result(TWO).status == PASSED and tox.result(ONE) is None
    assert "1 of 100 cells passed" in (tox.store.folder / "index.html").read_text(encoding="utf-8")


# -- what must not be told


def test_what_is_private_is_not_in_a_log() -> None:
    home = Path.home()
    secret = {"DATABASE_URL": "postgresql://u:very-secret@db/x", "PGPASSWORD": "also-secret"}
    text = f"""\
connect to postgresql://u:very-secret@db/x failed, and with also-secret
amqp://me:open-sesame@host/ password='hunter2' PASSWORD: hunter2, {{'token': 'hunter2'}}
{ROOT}/tests/test_a.py {home}/code/x.py /home/somebody/y.py /usr/lib/python3.12/threading.py
\x1b[31mred\x1b[0m https://example.org/lib/python3.12/x"""
    told = clean(text, secret)
    for each in ("secret", "sesame", "hunter", str(home), "somebody", "/usr", "\x1b"):
        assert each not in told
    assert "tests/test_a.py ~/code/x.py ~/y.py .../python3.12/threading.py" in told
    assert told.endswith("red https://example.org/lib/python3.12/x")


@pytest.mark.parametrize("password", ["top,secret word", "it's \"so\\", "öffne=dich", "a,b"])
def test_no_part_of_a_password_that_the_url_quotes_is_in_a_log(password: str) -> None:
    server = Server("db", 5432, "me", password, "x", "a test")
    text = f"{server.url} {server.django} password={password} host=db"
    if len(password) > 5:
        text += f", and {password} or {password!r}"
    told = clean(text, {"DATABASE_URL": server.url})
    for part in (*re.findall(r"\w\w+", password), password):
        assert part not in told.replace("PASSWORD", "").replace("password", "")
    assert "HOST': 'db'" in told and "host=db" in told


@pytest.mark.parametrize("password", ["pg", "postgres"])
def test_a_password_that_is_part_of_other_words_does_not_spoil_a_log(password: str) -> None:
    text = f"pgbouncer and postgresql.conf of postgres {{'PASSWORD': '{password}', 'PORT': ''}}"
    told = clean(text, {"PGPASSWORD": password, "PGHOST": "db"})
    assert told == "pgbouncer and postgresql.conf of postgres {'PASSWORD': ***, 'PORT': ''}"


def test_a_database_url_that_is_none_is_not_in_a_log_either() -> None:
    assert clean("it is mysql://me:hidden@db/x", {"DATABASE_URL": "mysql://me:hidden@db/x"}) == (
        "it is ***"
    )
