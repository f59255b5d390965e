"""The load suite: its verdict is only worth something if it can fail."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from loadtests._judge import Limits, Load, Sampling, Sessions, judge, summary, table
from matrix import ROOT, postgres
from matrix.program import Program

MISSING = [name for name in ("locust", "gunicorn", "psycopg") if find_spec(name) is None]
with_locust = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
with_psycopg = pytest.mark.skipif("psycopg" in MISSING, reason="not installed: psycopg")

LIMITS = Limits(max_conns=8, reuse_conns=4)
LOAD = Load(seconds=30.0, requests=5000, failure_ratio=0.01, p95_ms=2000.0)
SAMPLING = Sampling(
    samples=600,
    median_ms=50.0,
    longest_gap_ms=140.0,
    peak={"shop-1": Sessions(8, 4, 8, 2), "shop-2": Sessions(7, 4, 6, 1)},
    last={"shop-1": Sessions(4, 4), "shop-2": Sessions(3, 3)},
)


def failed(load: Load = LOAD, sampling: Sampling = SAMPLING) -> list[str]:
    return [criterion.name for criterion in judge(load, sampling, LIMITS) if not criterion.ok]


# -- the judge


def test_figures_at_their_limits_pass() -> None:
    assert failed() == []
    assert summary(judge(LOAD, SAMPLING, LIMITS)) == "VERDICT: passed"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"requests": 0}, "requests made"),
        ({"failure_ratio": 0.0101}, "failed requests"),
        ({"p95_ms": 2001.0}, "p95 response time"),
        ({"errors": 1}, "errors in the suite itself"),
    ],
)
def test_load_beyond_a_limit_fails_by_name(changed: dict[str, Any], name: str) -> None:
    assert failed(load=replace(LOAD, **changed)) == [name]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"peak": {"shop-1": Sessions(9, 4, 8, 0)}}, "peak sessions per process"),
        ({"last": {"shop-1": Sessions(5, 5)}}, "sessions per process after cool-down"),
        ({"last": {"shop-1": Sessions(1, 0, 0, 1)}}, "left in a transaction or busy"),
        ({"last": {"shop-1": Sessions(1, 0, 0, 0)}}, "left in a transaction or busy"),
        ({"peak": {}, "last": {}}, "worker processes seen"),
        ({"samples": 149}, "samples taken"),
        ({"median_ms": 100.6}, "median time between samples"),
        ({"error": "server closed the connection"}, "sampling to the end"),
    ],
)
def test_sessions_beyond_a_limit_fail_by_name(changed: dict[str, Any], name: str) -> None:
    assert failed(sampling=replace(SAMPLING, **changed)) == [name]


def test_a_limit_holds_for_each_process_and_not_for_their_sum() -> None:
    peak = {f"shop-{number}": Sessions(8) for number in range(9)}
    assert failed(sampling=replace(SAMPLING, peak=peak)) == []


def test_a_short_run_needs_some_samples_too() -> None:
    few = replace(SAMPLING, samples=19)
    assert failed(load=replace(LOAD, seconds=1.0), sampling=few) == ["samples taken"]


def test_the_last_line_names_every_failed_criterion() -> None:
    criteria = judge(replace(LOAD, requests=0, p95_ms=9000.0), SAMPLING, LIMITS)
    assert summary(criteria) == "VERDICT: FAILED (requests made, p95 response time)"


def test_the_table_has_one_aligned_line_for_each_criterion() -> None:
    criteria = judge(replace(LOAD, requests=0), SAMPLING, LIMITS)
    heading, *lines = table(criteria).splitlines()
    assert len(lines) == len(criteria)
    column = heading.index("limit")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    assert [line.split("  ")[0] for line in lines if line.endswith("FAILED")] == ["requests made"]


# -- the sampler


@with_psycopg
def test_the_record_keeps_the_peak_of_each_state_and_knows_when_it_is_cool() -> None:
    from loadtests._tally import Record

    record = Record()
    record.add([("shop-1", 5, 1, 4, 0)], 10.0)
    assert not record.is_cool(4)
    record.add([("shop-1", 4, 3, 0, 1)], 10.06)
    assert not record.is_cool(4)
    record.add([("shop-1", 4, 4, 0, 0)], 10.10)
    assert record.is_cool(4)
    assert not record.is_cool(3)
    report = record.report(None)
    assert report.peak == {"shop-1": Sessions(5, 4, 4, 1)}
    assert report.last == {"shop-1": Sessions(4, 4)}
    assert (report.samples, report.median_ms, report.longest_gap_ms) == (3, 50.0, 60.0)


def start_sampler(database: postgres.Server, *flags: str, **environ: str) -> subprocess.Popen[str]:
    sampler = subprocess.Popen(
        [sys.executable, "-m", "loadtests._sampler", "shop-", "4", *flags],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sampler.stdout is not None
    assert sampler.stdout.readline() == "sampling\n"
    return sampler


@with_psycopg
def test_the_sampler_counts_what_carries_the_name_and_nothing_else(
    database: postgres.Server,
) -> None:
    import psycopg

    def session(name: str) -> Any:
        return stack.enter_context(psycopg.connect(database.url, application_name=name))

    with contextlib.ExitStack() as stack:
        session("shop-1").execute("SELECT 1")  # stays in a transaction
        first, _, _ = session("shop-1"), session("shop-2"), session("shopper")
        sampler = stack.enter_context(start_sampler(database))
        time.sleep(0.5)
        first.close()
        time.sleep(0.5)
        report = json.loads(sampler.communicate(timeout=30)[0])
    counted = {"total": 2, "idle": 1, "active": 0, "in_transaction": 1}
    assert report["peak"]["shop-1"] == counted
    assert report["last"]["shop-1"] == {**counted, "total": 1, "idle": 0}
    assert report["last"].keys() == {"shop-1", "shop-2"}
    assert report["error"] is None
    assert report["samples"] > 20
    assert report["median_ms"] < 100


@with_psycopg
def test_the_sampler_reports_what_it_saw_before_it_lost_the_server(
    database: postgres.Server,
) -> None:
    import psycopg

    with start_sampler(database) as sampler:
        time.sleep(0.5)
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'loadtests-sampler'"
            )
        report = json.loads(sampler.communicate(timeout=30)[0])
    assert report["samples"] > 2
    assert report["error"]


def moments(report: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(report["series"], key=lambda moment: moment["at"])


@with_psycopg
def test_with_series_the_sampler_tells_the_highest_counts_of_each_second(
    database: postgres.Server,
) -> None:
    import psycopg

    with start_sampler(database, "--series") as sampler:
        with psycopg.connect(database.url, application_name="shop-1") as one:
            one.execute("SELECT 1")  # stays in a transaction
            with psycopg.connect(database.url, application_name="shop-2"):
                time.sleep(0.5)
        report = json.loads(sampler.communicate(timeout=30)[0])
    seen = [(each["total"], each["most"], each["in_transaction"]) for each in moments(report)]
    assert (2, 1, 1) in seen
    assert len({each["at"] for each in report["series"]}) == len(report["series"])
    assert report["outages"] == []


@with_psycopg
def test_with_outages_the_sampler_goes_on_when_the_server_is_back() -> None:
    with contextlib.ExitStack() as stack:
        program = Program("matrix.restartable")
        stack.callback(program.end)
        port, password = program.read().split()
        server = postgres.Server("127.0.0.1", int(port), "postgres", password, "postgres", "own")
        sampler = stack.enter_context(start_sampler(server, "--outages"))
        time.sleep(0.5)
        program.tell("fast")
        time.sleep(1.0)
        report = json.loads(sampler.communicate(timeout=30)[0])
    assert report["error"] is None
    ((begin, end),) = report["outages"]
    assert begin < end
    assert report["samples"] > 20


@with_psycopg
def test_the_sampler_counts_the_clients_of_a_pgbouncer(database: postgres.Server) -> None:
    import psycopg

    with contextlib.ExitStack() as stack:
        try:
            front = stack.enter_context(postgres.pgbouncer(database, {"PGBOUNCER_POOL_SIZE": "1"}))
        except postgres.ServerAbsent as absent:
            pytest.fail(str(absent)) if os.environ.get("CI") else pytest.skip(str(absent))
        console = replace(front, dbname="pgbouncer")
        sampler = stack.enter_context(
            start_sampler(database, "--series", PGBOUNCER_URL=console.url)
        )
        for _ in range(2):
            client = stack.enter_context(psycopg.connect(front.url, autocommit=True))
            client.execute("SELECT 1", prepare=False)
        time.sleep(0.5)
        report = json.loads(sampler.communicate(timeout=30)[0])
    assert report["error"] is None
    assert max(each["clients"] for each in report["series"]) == 2
    assert report["samples"] > 10  # psycopg would prepare what is asked often


# -- scenarios


@with_locust
def test_locust_finds_the_visitors_of_the_shop_in_the_folder_and_no_scenario() -> None:
    code, lines = locust(None, "--list")
    assert code == 0
    found = {line.strip() for line in lines if line.startswith(" ")}
    assert found == {"Analyst", "Browser", "Buyer", "Payer", "Stumbler"}


@with_locust
def test_every_visitor_that_a_scenario_names_exists() -> None:
    """In a process of its own, for Locust patches the one that imports it."""
    program = (
        "from loadtests import _visitors, scenarios\n"
        "for name in scenarios.NAMES:\n"
        "    for visitor in scenarios.load(name).visitors:\n"
        "        assert issubclass(getattr(_visitors, visitor), _visitors.Visitor)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


# -- bad inputs


def locust(database_url: str | None, *arguments: str, **environ: str) -> tuple[int, list[str]]:
    """Its exit code, and what it says except for log lines."""
    others = {name: value for name, value in os.environ.items() if name != "PGHOST"}
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "loadtests", "--headless", *arguments],
        cwd=ROOT,
        env={**others, "DATABASE_URL": database_url or "", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line[:1] != "["]


@contextlib.contextmanager
def another_site(folder: Path = ROOT) -> Iterator[str]:
    """A web server that is not the demo site: it has the files of a folder."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@with_locust
@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "DATABASE_URL is not set"),
        ("mysql://somewhere/else", "must begin with postgresql://"),
        ("postgresql://me:sesame@127.0.0.1:1/shop", "No PostgreSQL answers at 127.0.0.1:1"),
    ],
)
def test_a_bad_database_url_ends_locust_with_one_sentence(url: str | None, words: str) -> None:
    code, lines = locust(url)
    assert code == 2
    assert len(lines) == 1
    assert words in lines[0]
    assert "sesame" not in lines[0]


@with_locust
def test_the_database_can_be_named_by_the_variables_of_libpq_too() -> None:
    code, lines = locust(None, PGHOST="127.0.0.1", PGPORT="1", PGPASSWORD="sesame")
    assert code == 2
    assert len(lines) == 1
    assert "No PostgreSQL answers at 127.0.0.1:1 (PGHOST names it)" in lines[0]


@with_locust
def test_a_refused_login_ends_locust_with_one_sentence_without_the_password(
    database: postgres.Server,
) -> None:
    code, lines = locust(replace(database, user="stranger", password="sesame").url)
    assert code == 2
    assert len(lines) == 1
    assert "refuses the login" in lines[0]
    assert "sesame" not in lines[0]


@with_locust
def test_a_host_that_does_not_answer_ends_locust_with_one_sentence(
    database: postgres.Server,
) -> None:
    code, lines = locust(database.url, "-H", "http://127.0.0.1:1")
    assert code == 2
    assert len(lines) == 1
    assert "No site answers at http://127.0.0.1:1" in lines[0]


@with_locust
@pytest.mark.parametrize("processes", [[], ["--processes", "2"]], ids=["alone", "with workers"])
def test_a_host_that_is_another_site_ends_locust_with_one_sentence(
    database: postgres.Server, processes: list[str]
) -> None:
    with another_site() as host:
        code, lines = locust(database.url, "-H", host, *processes)
    assert code == 2
    assert len(lines) == 1
    assert f"What answers at {host} is not the demo site" in lines[0]


@with_locust
def test_a_file_that_cannot_be_written_ends_locust_before_the_load(
    database: postgres.Server,
) -> None:
    code, output, _ = load(database, Path("/nowhere/figures.json"))
    assert code == 2
    assert "--verdict-json /nowhere/figures.json: No such file or directory." in output


# -- the real thing


def load(
    database: postgres.Server, figures: Path, *arguments: str, **environ: str
) -> tuple[int, str, dict[str, Any]]:
    """``python -m loadtests`` for 10 seconds: exit code, output, figures."""
    command = [sys.executable, "-m", "loadtests", "--json", str(figures)]
    done = subprocess.run(
        [*command, "-u", "40", "-r", "40", "-t", "10s", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stdout, done.stdout
    seen = json.loads(figures.read_text()) if figures.exists() else {}
    return done.returncode, done.stdout, seen


@with_locust
@pytest.mark.parametrize(
    ("arguments", "workers"),
    [([], "1"), (["--processes", "2"], "2")],
    ids=["one process on one worker", "two processes on two workers"],
)
def test_the_pool_passes(
    database: postgres.Server, tmp_path: Path, arguments: list[str], workers: str
) -> None:
    code, output, figures = load(
        database, tmp_path / "figures.json", *arguments, DEMO_WORKERS=workers
    )
    assert code == 0, output
    assert output.splitlines()[-1] == "VERDICT: passed"
    assert figures["passed"]
    assert len(figures["sampling"]["peak"]) == int(workers)
    assert figures["load"]["requests"] > 100


@with_locust
def test_an_engine_without_a_pool_fails_by_its_peak(
    database: postgres.Server, tmp_path: Path
) -> None:
    code, output, figures = load(
        database,
        tmp_path / "figures.json",
        DEMO_WORKERS="1",
        DEMO_ENGINE="django.db.backends.postgresql",
    )
    assert code == 1, output
    assert output.splitlines()[-1].startswith("VERDICT: FAILED (peak sessions per process")
    assert not figures["passed"]


@with_locust
def test_failed_requests_decide_by_their_ratio_alone(
    database: postgres.Server, tmp_path: Path
) -> None:
    """Locust's own rule is that a single one makes the exit code 1."""
    arguments = ["-t", "3s", "--max-failure-ratio", "0.5", "Stumbler", "Outsider"]
    locustfile = tmp_path / "outsider.py"
    locustfile.write_text(
        "from locust import HttpUser, constant, task\n"
        "class Outsider(HttpUser):\n"
        "    wait_time = constant(1)\n"
        "    @task\n"
        "    def get_lost(self):\n"
        "        self.client.get('/nowhere/')\n"
    )
    both = ["-f", f"loadtests,{locustfile}"]
    code, output, figures = load(database, tmp_path / "figures.json", *both, *arguments)
    assert code == 0, output
    assert 0 < figures["load"]["failure_ratio"] < 0.5


@with_locust
def test_no_server_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgresql://me@127.0.0.1:1/shop"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No PostgreSQL answers at 127.0.0.1:1")
    assert len(done.stderr.splitlines()) == 1
