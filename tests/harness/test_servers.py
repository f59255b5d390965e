"""matrix.postgres: a server for anyone, and a clear sentence where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from matrix import pgbouncer
from matrix.postgres import Server, ServerUnavailable, check_answers, named, parse_url, server

from ..scripts import ROOT
from ..tasks import until


def test_a_database_url_is_read_with_everything_quoted() -> None:
    found = parse_url("postgres://us%40er:p%2Fw%3A@db.example:6543/na%20me")
    assert (found.host, found.port, found.user) == ("db.example", 6543, "us@er")
    assert (found.password, found.dbname) == ("p/w:", "na me")
    assert parse_url(found.url) == found


def test_the_query_of_a_database_url_is_kept() -> None:
    found = parse_url("postgresql://me@db/shop?sslmode=require&target_session_attrs=any")
    assert found.options == {"sslmode": "require", "target_session_attrs": "any"}
    assert found.django["OPTIONS"] == found.options
    assert parse_url(found.url) == found


def test_a_socket_folder_can_be_the_host() -> None:
    found = parse_url("postgresql://me@%2Frun%2Fpostgresql/shop")
    assert (found.host, found.port, found.password) == ("/run/postgresql", 5432, "")
    assert parse_url(found.url) == found


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:secret@h/db", "must begin with postgresql://"),
        ("nonsense-secret", "must begin with postgresql://"),
        ("postgresql://u:secret@/db", "must name a host and a database"),
        ("postgresql://u:secret@h", "must name a host and a database"),
        ("postgresql://u:secret@h:port/db", "is not a URL"),
        ("postgresql://u:secret/part@h/db", "is not a URL"),
    ],
)
def test_a_wrong_database_url_is_one_sentence_without_the_password(url: str, problem: str) -> None:
    with pytest.raises(ServerUnavailable, match=problem) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_pghost_and_its_kin_name_a_server() -> None:
    found = named({"PGHOST": "db", "PGUSER": "me", "PGPASSWORD": "x"})
    assert found == Server("db", 5432, "me", "x", "me", "PGHOST")
    assert named({}) is None


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ServerUnavailable, match="PGPORT is 'x'"):
        named({"PGHOST": "db", "PGPORT": "x"})


def test_database_url_goes_before_pghost() -> None:
    found = named({"PGHOST": "a", "DATABASE_URL": "postgresql://u@b/d"})
    assert found is not None and found.host == "b"


def test_repr_shows_no_password() -> None:
    assert "secret" not in repr(parse_url("postgresql://u:secret@h/db"))


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ServerUnavailable, match=f"No PostgreSQL answers at 127.0.0.1:{port}"):
            check_answers(parse_url(f"postgresql://u@127.0.0.1:{port}/db"))


def test_an_unknown_provider_is_refused() -> None:
    with (
        pytest.raises(ServerUnavailable, match="container, embedded, pgbouncer or postgis"),
        server({"PG_PROVIDER": "cloud"}),
    ):
        pass


def test_a_container_without_an_engine_is_one_sentence() -> None:
    pytest.importorskip("testcontainers", reason="only the container cells install it")
    environ = {"PG_PROVIDER": "container", "PG_IMAGE": "no/such:image"}
    with pytest.raises(ServerUnavailable, match="'no/such:image' did not start"), server(environ):
        pass


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Any]:
    """Start ``python -m matrix.postgres`` with a temporary folder that the test can look into."""
    tmp_path.chmod(0o755)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], IO[str]]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATABASE_URL"))}
        if arguments[:1] == ("pgbouncer",):
            arguments, environ["PG_PROVIDER"] = arguments[1:], "pgbouncer"
        process = subprocess.Popen(
            [sys.executable, "-m", "matrix.postgres", *arguments],
            cwd=ROOT,
            env={**environ, "TMPDIR": "/tmp"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def url_in(line: str) -> Server:
    return parse_url(next(word for word in line.split() if word.startswith("postgresql://")))


def answers(found: Server) -> bool:
    try:
        check_answers(found)
    except ServerUnavailable:
        return False
    return True


def test_a_command_runs_with_a_server_of_its_own_and_hands_on_its_exit_code(command: Any) -> None:
    program = "import os, sys; print(os.environ['DATABASE_URL']); sys.exit(7)"
    process, output = command("--", sys.executable, "-c", program)
    found = url_in(output.read())
    assert process.wait(60) == 7
    assert not answers(found)


def test_it_says_what_it_is_for_and_what_is_missing_without_a_server(command: Any) -> None:
    process, output = command("--help")
    assert output.readline().startswith("A PostgreSQL server for whoever needs one")
    assert "COMMAND ..." in output.read()
    assert process.wait(60) == 0
    process, output = command("--", "no-such-command")
    assert output.read() == "error: there is no command 'no-such-command'\n"
    assert process.wait(60) == 127


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("provider", ["embedded", "pgbouncer"])
def test_the_server_ends_with_whoever_started_it(command: Any, provider: str, end: int) -> None:
    if provider == "pgbouncer" and shutil.which("pgbouncer", path=pgbouncer.PLACES) is None:
        pytest.skip("PgBouncer is not installed: https://www.pgbouncer.org/")
    process, output = command(*([] if provider == "embedded" else [provider]))
    found = url_in(output.readline())
    assert answers(found)
    process.send_signal(end)
    process.wait(60)
    until(lambda: not answers(found))
