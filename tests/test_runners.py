"""Django's test runner and pytest-django on a project of their own, in processes of their own."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import django
import pytest

from . import plugin_django
from .test_green import needs

SETTINGS = """
import os
from matrix.postgres import parse_url

server = parse_url(os.environ["DATABASE_URL"])
DATABASES = {"default": {
    "ENGINE": "django_db_geventpool.backends.postgresql_psycopg",
    **server.django,
    "OPTIONS": {**server.options, "MAX_CONNS": 4, "WAIT_TIMEOUT": 10},
    "TEST": {"NAME": os.environ["PROJECT_NAME"]},
}}
INSTALLED_APPS = ["shelf"]
ROOT_URLCONF = "shelf.urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

MANAGE = """
import os, sys
if os.environ.get("PROJECT_HUB") == "gevent":
    from gevent import monkey; monkey.patch_all()
elif os.environ.get("PROJECT_HUB") == "eventlet":
    import eventlet; eventlet.monkey_patch()
os.environ["DJANGO_SETTINGS_MODULE"] = "project_settings"
if __name__ == "__main__":  # not in the children that --parallel starts
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""

MODELS = """
from django.db import models

class Book(models.Model):
    title = models.CharField(max_length=100, unique=True)
"""

URLS = """
from django.db import connection, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from shelf.models import Book

def add(request, title):
    Book.objects.create(title=title)
    return HttpResponse(connection.geventpool._hub.NAME)

def titles(request):
    return HttpResponse(",".join(Book.objects.order_by("title").values_list("title", flat=True)))

def stream(request):
    def lines():
        with transaction.atomic():
            for book in Book.objects.order_by("title").iterator(chunk_size=2):
                yield book.title + "\\n"
    return StreamingHttpResponse(lines())

urlpatterns = [path("add/<title>", add), path("titles", titles), path("stream", stream)]
"""

TESTS = """
import os, threading, urllib.request
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase
from shelf.models import Book

def get(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()

class InATransaction(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.book = Book.objects.create(title="of the class")

    def test_closing_old_connections_keeps_the_transaction(self):
        Book.objects.create(title="inner")
        before = connection.connection
        close_old_connections()
        self.assertIs(connection.connection, before)
        self.assertEqual(Book.objects.count(), 2)

    def test_the_client_keeps_the_transaction(self):
        Book.objects.create(title="inner")
        self.assertEqual(self.client.get("/titles").content, b"inner,of the class")
        stream = self.client.get("/stream")
        self.assertEqual(b"".join(stream.streaming_content), b"inner\\nof the class\\n")
        self.assertEqual(Book.objects.count(), 2)

    def test_an_error_in_a_savepoint_is_undone(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            Book.objects.create(title="of the class")
        self.assertEqual(Book.objects.count(), 1)

class InNoTransaction(TransactionTestCase):
    def test_commits_are_seen_by_other_threads(self):
        def add():
            Book.objects.create(title="by a thread")
            connection.close()
        thread = threading.Thread(target=add)
        thread.start()
        thread.join()
        self.assertEqual(Book.objects.get().title, "by a thread")

    def test_the_table_is_empty_again(self):
        self.assertEqual(Book.objects.count(), 0)
        self.assertLessEqual(connection.geventpool.stats().in_use, 1)

class OnALiveServer(LiveServerTestCase):
    def test_requests_use_the_orm(self):
        hub = get(self.live_server_url + "/add/by%20a%20request")
        self.assertEqual(hub, os.environ.get("PROJECT_HUB", "threads"))
        self.assertEqual(get(self.live_server_url + "/titles"), "by a request")

    def test_requests_at_the_same_time_are_all_served(self):
        def add(number):
            get(f"{self.live_server_url}/add/{number}")
        threads = [threading.Thread(target=add, args=[number]) for number in range(12)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        self.assertEqual(Book.objects.count(), 12)

    def test_a_streamed_response_reads_as_it_goes(self):
        for number in range(9):
            Book.objects.create(title=str(number))
        self.assertEqual(get(self.live_server_url + "/stream").split(), list("012345678"))
"""

PYTEST = """
import urllib.request
import pytest
from shelf.models import Book

@pytest.mark.django_db
def test_one_in_a_transaction():
    Book.objects.create(title="once")

@pytest.mark.django_db
def test_another_sees_nothing_of_it():
    assert not Book.objects.exists()

def test_one_that_commits(transactional_db):
    Book.objects.create(title="once")

def test_a_live_server(live_server):
    assert not Book.objects.exists()
    for title in "ab":
        urllib.request.urlopen(live_server.url + f"/add/{title}", timeout=20).read()
    assert urllib.request.urlopen(live_server.url + "/stream", timeout=20).read() == b"a\\nb\\n"
"""


pytestmark = pytest.mark.session(
    "its idle connections keep a test database from being cloned or dropped"
)

_numbers = itertools.count(1)


class Project:
    """A project with one model, on databases that carry its name."""

    def __init__(self, folder: Path, observer: Any) -> None:
        self.folder, self._observer = folder, observer
        self.name = f"runners_{os.getpid()}_{next(_numbers)}"
        for path, text in {
            "project_settings.py": SETTINGS,
            "manage.py": MANAGE,
            "shelf/__init__.py": "",
            "shelf/models.py": MODELS,
            "shelf/urls.py": URLS,
            "shelf/tests.py": TESTS,
            "test_with_pytest.py": PYTEST,
        }.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(textwrap.dedent(text).lstrip())

    def run(self, *arguments: str, **environ: str) -> str:
        """A Python program; its output. Fails with that output if the program fails."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO"))}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=self.folder,
            env={
                **inherited,
                **environ,
                "DATABASE_URL": plugin_django.SERVER.url,
                "PROJECT_NAME": self.name,
                "PYTHONPATH": os.pathsep.join([str(self.folder), *filter(None, sys.path)]),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stdout
        assert "is being accessed by other users" not in done.stdout
        return done.stdout

    def databases(self) -> list[str]:
        rows = self._observer(
            "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1", self.name + "%"
        )
        return [name for (name,) in rows]


@pytest.fixture
def project(tmp_path: Path, observer: Any) -> Project:
    return Project(tmp_path, observer)


@pytest.fixture(params=["threads", "gevent", "eventlet"])
def hub(request: pytest.FixtureRequest) -> str:
    if request.param != "threads":
        needs(request.param)
    return str(request.param)


def test_the_test_runner_passes_and_drops_its_database(project: Project, hub: str) -> None:
    output = project.run("manage.py", "test", PROJECT_HUB=hub)
    assert "Ran 8 tests" in output
    assert project.databases() == []


def test_in_parallel_it_clones_its_database_and_drops_the_clones(
    project: Project, hub: str
) -> None:
    if hub != "threads":
        pytest.skip(
            "the pool of processes that it uses hangs under a hub, with any engine: "
            "https://www.gevent.org/api/gevent.monkey.html#gevent.monkey.patch_thread"
        )
    default = multiprocessing.get_all_start_methods()[0]  # here a test may have chosen another
    if default == "forkserver" and django.VERSION < (6, 0):
        pytest.skip(
            "on this Python its processes start in a way that this Django does not know: "
            "https://code.djangoproject.com/ticket/36531"
        )
    output = project.run("manage.py", "test", "--parallel", "2", "-v", "2", PROJECT_HUB=hub)
    assert "Ran 8 tests" in output
    assert output.count("Cloning test database") == 2
    assert project.databases() == []


def test_a_kept_database_is_used_again(project: Project, hub: str) -> None:
    project.run("manage.py", "test", "--keepdb", PROJECT_HUB=hub)
    assert project.databases() == [project.name]
    output = project.run("manage.py", "test", "--keepdb", "-v", "2", PROJECT_HUB=hub)
    assert "Using existing test database" in output
    project.run("manage.py", "test", "--noinput", "shelf.tests.InNoTransaction", PROJECT_HUB=hub)
    assert project.databases() == []


def test_pytest_django_passes_and_drops_its_database(project: Project, hub: str) -> None:
    needs("pytest_django")
    command = {
        "threads": ["-m", "pytest"],
        "gevent": ["-m", "gevent.monkey", "--module", "pytest"],
        "eventlet": [
            "-c",
            "import eventlet; eventlet.monkey_patch(); import pytest, sys; "
            "sys.exit(pytest.main(sys.argv[1:]))",
        ],
    }[hub]
    output = project.run(
        *command,
        "--ds",
        "project_settings",
        "-p",
        "no:cacheprovider",
        "test_with_pytest.py",
        PROJECT_HUB=hub,
    )
    assert "4 passed" in output
    assert project.databases() == []
