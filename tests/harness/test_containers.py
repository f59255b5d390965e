"""The containers: cells by matrix/run, the shop by Compose, and a server through testcontainers.

What needs a container engine runs in ``tox -e containers`` only, for it is slow. Where no engine
answers it is skipped, which REQUIRE_CONTAINERS=1 forbids.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest

from matrix import ABSENT, ROOT, incontainer, postgres
from matrix.cells import cells

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILES = ("matrix/Dockerfile", "matrix/pgbouncer.Dockerfile")
PROFILES = ("", "load", "pgbouncer", "postgis", "scenario")
REQUIRED = os.environ.get("REQUIRE_CONTAINERS", "") not in ("", "0")
CELL = "py313-django52-psycopg3"


def command(
    *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def cell(name: str) -> incontainer.Cell:
    return incontainer.find(name)


# -- what the files say


def test_every_image_is_a_parameter_or_a_digest_or_is_built_here() -> None:
    found = re.findall(r"^ +(?:image|BASE): (\S+)$", COMPOSE, re.M)
    assert len(found) >= 6
    for image in found:
        assert re.fullmatch(r"\$\{\w+:-\S+\}|\S+@sha256:\w{64}|django-db-geventpool-\w+", image)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_stage_begins_with_the_base_that_was_asked_for(name: str) -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", (ROOT / name).read_text("utf-8"), re.M)
    assert stages
    names = {"${BASE}"}
    for base, stage in stages:
        assert base in names
        names.add(stage)


def test_every_port_is_one_of_the_loopback_interface() -> None:
    found = re.findall(r"^ +ports: (.*)$", COMPOSE, re.M)
    assert len(found) == COMPOSE.count("ports:") == 4
    for ports in found:
        assert re.fullmatch(r'\["127\.0\.0\.1:\$\{\w+_PORT:-\d+\}:\d+"\]', ports)


def test_every_variable_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "containers.md").read_text("utf-8")
    source = (ROOT / "matrix" / "incontainer.py").read_text("utf-8")
    used = {"PYTHON_IMAGE", "PYPY_IMAGE", *re.findall(r"\$\{(\w+):-", COMPOSE)}
    used |= set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', source))
    used |= set(re.findall(r"^ +(DEMO_\w+):$", COMPOSE, re.M))
    assert {"PG_IMAGE", "CA_FILE", "REQUIRE_CONTAINERS", "DEMO_ENGINE"} <= used
    assert used <= set(re.findall(r"`(\w+)`", page))


@pytest.mark.parametrize("profile", PROFILES)
def test_compose_understands_every_profile(profile: str) -> None:
    if command("docker", "compose", "version").returncode if shutil.which("docker") else True:
        pytest.skip("docker compose is not installed: https://docs.docker.com/compose/install/")
    done = command("docker", "compose", "--profile", profile, "config", "-q")
    assert (done.returncode, done.stderr) == (0, "")


# -- which image for which cell


def test_every_cell_has_an_image_of_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PYTHON_IMAGE", "PYPY_IMAGE"):
        monkeypatch.delenv(variable, raising=False)
    images = {each.python: incontainer.base_image(each) for each in cells()}
    assert images["py39"] == "python:3.9-slim"
    assert images["py314"] == "python:3.14-slim"
    assert images["pypy311"] == "pypy:3.11-slim"


def test_a_cell_gets_what_it_needs_of_debian() -> None:
    assert incontainer.packages(cell(CELL)) == []
    assert incontainer.packages(cell("py312-django52-psycopg2-pgbouncer")) == ["pgbouncer"]
    assert "libpq-dev" in incontainer.packages(cell("pypy311-django52-psycopg3"))


def test_what_may_have_a_password_in_it_is_a_secret_of_the_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An argument stays in what docker history shows."""
    asked: list[str] = []

    def answer(command: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        asked.extend(command)
        (iidfile,) = (each for each in command if each.startswith("--iidfile="))
        Path(iidfile.partition("=")[2]).write_text("the id")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", answer)
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hidden@pypi/simple")
    assert incontainer.build(cell(CELL), "python") == "the id"
    assert "--secret=id=pip_index_url,env=PIP_INDEX_URL" in asked
    assert "hidden" not in " ".join(asked)
    arguments = re.findall(r"^ARG (\w+)", (ROOT / DOCKERFILES[0]).read_text("utf-8"), re.M)
    assert set(arguments) == {"BASE", "PACKAGES"}
    assert re.findall(r"^ +args:\n((?: {8}.*\n)+)", COMPOSE, re.M)
    for given in re.findall(r"^ +args:\n((?: {8}.*\n)+)", COMPOSE, re.M):
        assert set(re.findall(r"^ +(\w+):", given, re.M)) <= {"BASE", "PACKAGES"}


def test_a_relative_file_of_authorities_is_no_volume_of_that_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(os, "execvp", lambda program, command: asked.extend(command))
    monkeypatch.setenv("CA_FILE", "ca.crt")
    monkeypatch.chdir(tmp_path)
    incontainer.run(cell(CELL), "image", [])
    assert f"--volume={tmp_path / 'ca.crt'}:/run/ca.crt:ro" in asked


def test_what_is_private_or_made_here_does_not_get_into_an_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {".env", ".git", "matrix/report"} <= set(ignored)


# -- matrix/run where it cannot run a cell


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that it says."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_an_unknown_cell_is_one_sentence_that_says_how_to_list_them() -> None:
    done = command("matrix/run", "py27-django11-psycopg2")
    assert done.returncode == 2
    assert "There is no cell 'py27-django11-psycopg2'; python -m matrix.cells" in sentence(done)


@pytest.mark.parametrize(("required", "code"), [("", 77), ("1", 2)])
def test_no_engine_is_one_sentence(required: str, code: int) -> None:
    environ = {"DOCKER_HOST": "unix:///nowhere", "REQUIRE_CONTAINERS": required}
    done = command("matrix/run", CELL, environ=environ)
    assert done.returncode == code
    assert sentence(done).startswith("error: " if required else "skipped: ")
    assert "container engine" in sentence(done)


def test_help_names_what_can_be_set() -> None:
    done = command("matrix/run", "--help")
    assert done.returncode == 0
    assert "PYTHON_IMAGE" in done.stdout


# -- with an engine


@pytest.fixture(scope="module")
def engine() -> None:
    if find_spec("testcontainers") is None:
        pytest.skip(
            "testcontainers is not installed; tox -e containers has it: "
            "https://testcontainers-python.readthedocs.io/"
        )
    try:
        incontainer.check_engine()
    except incontainer.Absent as reason:
        if REQUIRED:
            raise
        pytest.skip(f"{reason} See https://docs.docker.com/engine/install/")


slow = [pytest.mark.timeout(900), pytest.mark.usefixtures("engine")]


class TestServer:
    pytestmark = slow

    def test_a_container_is_a_server_for_the_time_of_the_block(self) -> None:
        import psycopg

        image = os.environ.get("PG_IMAGE", "postgres:18")
        with postgres.server({"PG_PROVIDER": "container", "PG_IMAGE": image}) as server:
            with psycopg.connect(server.url) as connection:
                row = connection.execute("SELECT current_user").fetchone()
            assert row == (server.user,)
        with pytest.raises(postgres.ServerUnavailable):
            postgres.check_answers(server)


class TestCell:
    pytestmark = slow

    def test_the_exit_code_is_that_of_its_tests(self) -> None:
        passed = command("matrix/run", CELL, "--", "-q", "tests/test_config.py")
        assert passed.returncode == 0, passed.stderr + passed.stdout
        assert "passed" in passed.stdout
        failed = command("matrix/run", CELL, "--", "-q", "tests/nothing.py")
        assert failed.returncode not in (0, ABSENT)
        assert "tests/nothing.py" in failed.stdout + failed.stderr

    def test_an_image_of_another_interpreter_is_one_sentence(self) -> None:
        image = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
        environ = {"PYTHON_IMAGE": image, "REQUIRE_CONTAINERS": ""}
        done = command("matrix/run", "py39-django42-psycopg2", environ=environ)
        assert done.returncode == ABSENT
        assert f"{image}, which PYTHON_IMAGE names, has no python3.9" in sentence(done)


class Project:
    """A Compose project of this test run's own, on free ports."""

    def __init__(self) -> None:
        self.environ = {
            "COMPOSE_PROJECT_NAME": f"test-{uuid.uuid4().hex[:8]}",
            "SITE_PORT": "0",
            "PG_PORT": "0",
            "LOAD_OPTIONS": "-u 40 -r 40 -t 8s",
        }

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        profiles = ("--profile", "load", "--profile", "scenario")
        arguments = ("docker", "compose", *profiles, *arguments)
        return command(*arguments, environ={**self.environ, **environ})

    def load(
        self, master: str = "locust", worker: str = "worker", **environ: str
    ) -> tuple[int, str]:
        """The exit code, and what the master says of it last."""
        options = ("--abort-on-container-exit", "--exit-code-from", master)
        done = self("up", *options, master, worker, **environ)
        verdicts = re.findall(r"VERDICT: .*", done.stdout)
        assert len(verdicts) == 1, done.stdout + done.stderr
        return done.returncode, verdicts[0]


@pytest.fixture(scope="module")
def project(engine: None) -> Iterator[Project]:
    made = Project()
    yield made
    made("down", "--volumes", "--timeout", "5")


class TestCompose:
    pytestmark = slow

    def test_the_shop_becomes_healthy_and_answers_on_this_machine(self, project: Project) -> None:
        started = project("up", "--wait", "site")
        assert started.returncode == 0, started.stderr
        address = project("port", "site", "8000").stdout.strip()
        assert address.startswith("127.0.0.1:")
        with urlopen(f"http://{address}/about/", timeout=30) as answer:
            assert json.load(answer)["site"] == "django-db-geventpool demo"

    def test_a_load_by_two_workers_that_the_pool_passes_is_exit_code_0(
        self, project: Project
    ) -> None:
        # Generous, for other tests may run on this machine.
        options = {"LOAD_OPTIONS": "-u 40 -r 40 -t 8s --max-p95 20000", "LOCUST_WORKERS": "2"}
        assert project.load(**options) == (0, "VERDICT: passed")

    def test_a_scenario_with_the_load_of_two_workers_is_exit_code_0(self, project: Project) -> None:
        played = project.load("scenario", "scenario-worker", SCENARIO="mixed", LOCUST_WORKERS="2")
        assert played == (0, "VERDICT: passed")

    def test_a_load_that_an_engine_without_a_pool_fails_is_exit_code_1(
        self, project: Project
    ) -> None:
        code, verdict = project.load(DEMO_ENGINE="django.db.backends.postgresql")
        assert code == 1
        assert verdict.startswith("VERDICT: FAILED (peak sessions per process")
