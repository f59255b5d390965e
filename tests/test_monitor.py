"""What processes tell each other of their pools, and who may see it: contrib.monitor."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.db import connections
from django.http import Http404, HttpResponse
from django.test import RequestFactory, override_settings

from django_db_geventpool import registry
from django_db_geventpool.contrib.config import MonitorConfig
from django_db_geventpool.contrib.group import files, publisher, snapshot
from django_db_geventpool.contrib.group.files import SILENCE, Group, tidy_up
from django_db_geventpool.contrib.group.snapshot import SPAN
from django_db_geventpool.contrib.monitor import views
from django_db_geventpool.stats import BOUNDS

from .plugin_hub import HUB
from .scripts import run
from .tasks import spawn, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "group"


@pytest.fixture
def monitored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As in a process that has just included the URLs; the directory of its group."""
    monkeypatch.setattr(publisher, "_config", None)
    monkeypatch.setattr(publisher, "_publishers", {})
    monkeypatch.setattr(registry, "_watchers", [])
    with override_settings(DJANGO_DB_GEVENTPOOL={"GROUP_DIR": folder, "ACCESS": "anyone"}):
        yield folder
    for each in publisher._publishers.values():
        each.leave()
    request_started.disconnect(dispatch_uid="django_db_geventpool.watch")


Join = Callable[[str], Group]


@pytest.fixture
def join(folder: Path) -> Iterator[Join]:
    """Join the group as a process of that name, which lives until the test ends."""
    joined = []

    def join_(name: str) -> Group:
        joined.append(Group(folder, name))
        return joined[-1]

    yield join_
    for group in joined:
        group.leave()


class Process:
    """As if it were one of its own: it has a pool, and a lock for as long as it lives."""

    def __init__(self, join: Join, name: str, **stats: Any) -> None:
        self.group = join(name)
        self.name = name
        self.publish(**stats)

    def publish(self, at: float | None = None, **stats: Any) -> None:
        times = {"counts": [1] + [0] * len(BOUNDS), "total": 0.5}
        numbers = dict.fromkeys(("size", "idle", "in_use", "opening", "closing", "waiting"), 0)
        stats = {**numbers, "wait_time": times, "discards": {"idle": 1}, **stats}
        pool = {"reuse_conns": 2, "min_conns": 1, "stats": stats, "holders": [], "samples": [[1]]}
        at = time.time() if at is None else at
        self.group.publish({"name": self.name, "at": at, "pools": {"default": pool}})

    def end(self) -> None:
        self.group.leave()


def total(group: Group) -> Any:
    """Of the only pool, over all processes but the one that reads."""
    return group.read().totals()["default"]


# -- the group


def test_the_processes_of_a_group_are_added_up(join: Join) -> None:
    reader = join("reader")
    Process(join, "first", size=4, in_use=3, checkouts=10)
    Process(join, "second", size=4, in_use=4, waiting=2, checkouts=5)
    assert {each["name"] for each in reader.read().living} == {"first", "second"}
    sums = total(reader)
    assert (sums.stats.size, sums.stats.in_use, sums.stats.waiting) == (8, 7, 2)
    assert (sums.stats.checkouts, sums.stats.discards) == (15, {"idle": 2})
    assert (sums.stats.wait_time.counts[0], sums.stats.wait_time.total) == (2, 1.0)
    assert (sums.reuse_conns, sums.min_conns) == (4, 2)


def test_what_an_ended_process_has_counted_stays_and_what_it_had_does_not(join: Join) -> None:
    reader = join("reader")
    Process(join, "first", size=4, in_use=3, waiting=9, checkouts=10).end()
    assert reader.read().living == []
    stats = total(reader).stats
    assert (stats.size, stats.in_use, stats.waiting, total(reader).reuse_conns) == (0, 0, 0, 0)
    assert (stats.checkouts, stats.wait_time.count) == (10, 1)


@pytest.mark.parametrize("finder", ["whoever reads", "whoever joins"])
def test_how_the_last_minutes_of_an_ended_process_went_stays_for_as_long(
    join: Join, monkeypatch: pytest.MonkeyPatch, finder: str
) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(files, "time", SimpleNamespace(time=lambda: clock.now))
    Process(join, "first", at=500.0, size=4, in_use=3, checkouts=10).end()  # silent, and killed
    reader = join("reader")
    for number, clock.now in enumerate((1000.0, 999.0 + SPAN)):
        if finder == "whoever joins":
            Process(join, f"next{number}")
        (found,) = reader.read().ended
        pool = found["pools"]["default"]
        assert (found["name"], pool["size"], pool["samples"]) == ("first", 4, [[1]])
        assert found["found_at"] == 1000.0
        assert total(reader).stats.checkouts == 10
    clock.now = 1000.0 + SPAN
    for number in range(2):
        assert reader.read().ended == []
        assert total(reader).stats.checkouts == 10
        if finder == "whoever joins":
            Process(join, f"late{number}")


def test_of_many_that_have_ended_the_counters_are_kept_and_how_the_latest_went(join: Join) -> None:
    reader = join("reader")
    for number in range(60):
        Process(join, f"short{number}", checkouts=1).end()
        assert total(reader).stats.checkouts == number + 1
    names = [each["name"] for each in reader.read().ended]
    assert names == [f"short{number}" for number in range(9, 60)]


def test_the_last_word_of_a_process_counts_whenever_it_is_found_to_have_ended(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, process = join("reader"), Process(join, "first", checkouts=10)
    look = files._lives

    def then_ends(path: Path, snapshot: Any) -> bool:
        """Between the look at its file and that at its lock."""
        monkeypatch.setattr(files, "_lives", look)
        process.publish(checkouts=15)
        process.end()
        return look(path, snapshot)

    monkeypatch.setattr(files, "_lives", then_ends)
    for _ in range(2):
        assert total(reader).stats.checkouts == 15


def test_the_next_process_clears_up_after_those_that_have_ended(join: Join, folder: Path) -> None:
    Process(join, "living", checkouts=5)
    for number in range(3):
        Process(join, f"ended{number}", checkouts=10).end()
    for number in range(2):
        Process(join, f"next{number}")
        found = {path.name.partition(".")[0] for path in folder.glob("*.json")}
        assert found == {"ended", "living", *(f"next{each}" for each in range(number + 1))}
        assert not list(folder.glob("ended?.lock"))
        assert total(join("reader")).stats.checkouts == 35


@pytest.mark.parametrize("later", [0.0, SPAN])
def test_clearing_up_that_was_interrupted_counts_nothing_twice(
    join: Join, folder: Path, monkeypatch: pytest.MonkeyPatch, later: float
) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(files, "time", SimpleNamespace(time=lambda: clock.now))
    Process(join, "ended1", checkouts=10).end()
    (file,) = folder.glob("ended1.*.json")
    kept, reader = file.read_bytes(), join("reader")
    Process(join, "next")
    file.write_bytes(kept)  # as if that one had been killed before it removed the file
    clock.now += later
    assert total(reader).stats.checkouts == 10
    Process(join, "after that")
    assert not file.exists()
    assert total(reader).stats.checkouts == 10


def test_whoever_reads_meanwhile_counts_each_process_once(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = join("reader")
    Process(join, "ended1", checkouts=10).end()

    numbers = itertools.count()

    def then_clear_up(read: Callable[[], Any]) -> Any:
        found = read()
        Process(join, f"next{next(numbers)}")
        return found

    for name in ("_files", "_ended"):
        monkeypatch.setattr(reader, name, partial(then_clear_up, getattr(reader, name)))
    assert total(reader).stats.checkouts == 10


def test_a_silent_process_is_still_there(join: Join) -> None:
    silent = Process(join, "silent", at=time.time() - 3600, in_use=1)
    Process(join, "next")  # which would have cleared it up
    reader = join("reader")
    assert total(reader).stats.in_use == 1
    silent.publish(in_use=2)
    assert total(reader).stats.in_use == 2


def test_where_there_are_no_locks_whoever_is_silent_for_long_has_ended(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_db_geventpool.contrib.group.files.fcntl", None)
    reader = join("reader")
    Process(join, "silent", at=time.time() - SILENCE - 1, in_use=1)
    Process(join, "living", at=time.time(), in_use=10)
    assert total(reader).stats.in_use == 10


def test_files_that_cannot_be_read_are_passed_over(join: Join, folder: Path) -> None:
    Process(join, "living", in_use=1)
    (folder / "cut.1.json").write_text("")
    (folder / "newer.2.json").write_text('{"pools": {"default": {"other": 1}}}')
    assert total(join("reader")).stats.in_use == 1


def test_a_snapshot_that_cannot_be_written_leaves_nothing_behind(
    join: Join, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Process(join, "one")
    before = sorted(folder.iterdir())

    def fails(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        one.publish()
    assert sorted(folder.iterdir()) == before


def test_a_directory_that_others_can_write_to_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="others can write to it"):
        Group(folder, "one")


def test_a_directory_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "somewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "somewhere")
    with pytest.raises(OSError, match="not this user's"):
        Group(folder, "one")


def test_directories_of_groups_that_are_no_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "old").mkdir()
    os.utime(tmp_path / "old", (0, 0))
    (tmp_path / "going").symlink_to(tmp_path / "gone")  # as one that another process removes
    tidy_up(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["going", "new"]


# -- the publisher

#: What a program begins with that is a process of a group.
IN_A_GROUP = """
settings()
from django.conf import settings
settings.DJANGO_DB_GEVENTPOOL = {"GROUP_DIR": os.environ["GROUP_DIR"]}
from django.db import connection
from django_db_geventpool.contrib.group import publisher
"""


def run_in(folder: Path, program: str) -> str:
    """In the group that meets in *folder*."""
    return run(IN_A_GROUP + textwrap.dedent(program), GROUP_DIR=str(folder))


def published(folder: Path) -> list[Any]:
    files = [path for path in folder.glob("*.json") if not path.name.startswith("ended.")]
    return [json.loads(path.read_bytes()) for path in sorted(files)]


def test_a_process_publishes_from_its_first_query_on(monitored: Path, database: Any) -> None:
    publisher.begin()
    one = database(MAX_CONNS=3)
    assert not any(one.alias in each["pools"] for each in published(monitored))
    one.query("SELECT 1")
    (first,) = until(lambda: [e for e in published(monitored) if one.alias in e["pools"]])
    assert (first["pid"], first["pools"][one.alias]["stats"]["size"]) == (os.getpid(), 3)
    until(lambda: published(monitored)[0]["at"] > first["at"])  # again and again, by itself
    (last,) = published(monitored)
    assert len(last["pools"][one.alias]["samples"]) >= 2


def test_whoever_asks_is_told_of_this_moment(monitored: Path, database: Any) -> None:
    one, holds, go_on = database(MAX_CONNS=3), Event(), Event()
    publisher.begin()

    def hold() -> None:
        one.query("SELECT 1")
        holds.set()
        go_on.wait(30)
        one.connection.close()

    task = spawn(hold)
    holds.wait(30)
    (process,) = publisher.current().read().living
    (holder,) = process["pools"][one.alias]["holders"]
    assert holder["seconds"] >= 0 and holder["stack"] == ""
    assert publisher.totals()[one.alias].stats.in_use == 1
    go_on.set()
    task.result()
    until(lambda: publisher.totals()[one.alias].stats.in_use == 0)


def test_the_samples_of_the_last_minutes_are_kept(
    monitored: Path, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, clock = database(), SimpleNamespace(now=1000.0)
    one.query("SELECT 1")
    monkeypatch.setattr(snapshot, "time", SimpleNamespace(time=lambda: clock.now))
    recorder = snapshot.Recorder()
    for _ in range(snapshot.SAMPLES + 5):
        clock.now += 1
        recorder.take()
    clock.now += 0.1  # somebody asks in between
    samples = recorder.take()["pools"][one.alias]["samples"]
    assert len(samples) == snapshot.SAMPLES
    assert [samples[0][0], samples[-1][0]] == [1006, 1305]
    assert len(samples[0]) == len(snapshot.COLUMNS)


def test_a_full_disk_is_told_of_once_and_the_process_goes_on(
    monitored: Path,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = database()
    one.query("SELECT 1")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Group, "publish", fails)
        for _ in range(2):
            assert "No space left" in publisher.current().read().trouble
    (warning,) = [text for text in caplog.messages if "No space left" in text]
    assert "GROUP_DIR" in warning
    assert publisher.current().read().trouble == ""


@pytest.mark.parametrize("somebody_else_is_quicker", [False, True])
def test_a_directory_that_was_removed_is_made_again(
    monitored: Path, database: Any, join: Join, *, somebody_else_is_quicker: bool
) -> None:
    one = database()
    one.query("SELECT 1")
    publisher.current().publish()
    shutil.rmtree(monitored)
    if somebody_else_is_quicker:
        Process(join, "other")
    until(lambda: publisher.current().publish() and published(monitored))
    pids = [each.get("pid") for each in join("reader").read().living]
    assert os.getpid() in pids


def test_however_often_it_is_asked_to_go_on_it_ticks_once_a_second(monitored: Path) -> None:
    ticks: list[Any] = []
    timers: list[float] = []
    hub: Any = SimpleNamespace(
        spawn=lambda function, *args: ticks.append(partial(function, *args)),
        call_later=lambda seconds, function: timers.append(seconds),
    )
    one = publisher.current()
    for _ in range(3):
        one._due = -math.inf  # as after the hub was blocked
        one.keep_on(hub)
    for tick in ticks:
        tick()
    assert (len(ticks), timers) == (3, [snapshot.INTERVAL])


def test_what_goes_wrong_in_a_tick_does_not_end_them(
    monitored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[float] = []
    hub: Any = SimpleNamespace(
        spawn=lambda function, *args: function(*args),
        call_later=lambda seconds, function: timers.append(seconds),
    )
    one = publisher.current()
    one._due = -math.inf
    monkeypatch.setattr(one, "publish", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.keep_on(hub)
    assert timers == [snapshot.INTERVAL]


def test_whoever_asks_is_told_of_this_moment_also_where_nothing_can_be_written(
    monitored: Path, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = database()
    one.query("SELECT 1")
    publisher.current().publish()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Group, "publish", fails)
    before = publisher.totals()[one.alias].stats.checkouts
    one.connection.close()
    one.query("SELECT 1")
    assert publisher.totals()[one.alias].stats.checkouts == before + 1


def test_a_forked_child_publishes_for_itself_and_what_it_counted_outlives_it(folder: Path) -> None:
    program = """
        def query(times):
            for _ in range(times):
                connection.ensure_connection()
                connection.close()

        publisher.begin()
        query(3)
        child = os.fork()
        if child == 0:
            query(5)
            print(len(publisher.current().read().living), flush=True)
            connection.geventpool.close()
            os._exit(0)
        os.waitpid(child, 0)
        print(len(publisher.current().read().living))
        print(publisher.totals()["default"].stats.checkouts)
        connection.geventpool.close()
    """
    assert run_in(folder, program).split() == ["2", "1", "8"]


def test_a_good_end_is_one_however_long_the_rest_of_it_takes(folder: Path, join: Join) -> None:
    program = """
        import atexit, time
        atexit.register(time.sleep, 2.5)  # as something does that sends the rest of its data
        publisher.begin()
        connection.ensure_connection()
        publisher.current().publish()
    """
    run_in(folder, program)
    (ended,) = join("reader").read().ended
    assert ended["at"] - ended["started"] > 0.9  # it has ticked meanwhile
    assert ended["is_last"] is True


def test_a_process_that_has_no_pool_leaves_nothing_behind(folder: Path) -> None:
    program = """
        print(publisher.current().read().living)
    """
    assert run_in(folder, program).strip() == "[]"
    assert list(folder.iterdir()) == []


def test_what_was_counted_in_the_last_second_of_a_process_is_told(folder: Path, join: Join) -> None:
    program = """
        publisher.begin()
        for _ in range(7):
            connection.ensure_connection()
            connection.close()
    """
    run_in(folder, program)
    (ended,) = join("reader").read().ended
    assert ended["is_last"] is True
    assert ended["pools"]["default"]["stats"]["checkouts"] == 7


# -- the settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "is \\[\\]; accepted is a dictionary"),
        ({"ACESS": "anyone"}, "'ACESS'.*accepted is ACCESS or GROUP_DIR"),
        ({"ACCESS": "everyone"}, "'ACCESS'.*'everyone'; accepted is 'staff', 'anyone'"),
        ({"ACCESS": "no.such.function"}, "'ACCESS'.*No module named 'no'"),
        ({"ACCESS": 1}, "'ACCESS'.* is 1; accepted"),
        ({"ACCESS": "tests.test_monitor.later"}, "'ACCESS'.*function later.*not async"),
        ({"ACCESS": dict}, "'ACCESS'.*a function"),
        ({"GROUP_DIR": "run"}, "'GROUP_DIR'.* is 'run'; accepted is an absolute path"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_accepted(given: Any, message: str) -> None:
    setting, refused = override_settings(DJANGO_DB_GEVENTPOOL=given), ImproperlyConfigured
    with setting, pytest.raises(refused, match=message):
        MonitorConfig.from_settings()


def test_the_processes_of_one_process_group_meet_in_the_temporary_directory() -> None:
    folder = MonitorConfig.from_settings().folder
    assert folder.name == str(os.getpgrp())
    assert str(os.getuid()) in folder.parent.name


# -- who may see it

View = Callable[..., HttpResponse]
ALL = (views.page, views.part, views.status, views.metrics)


def asked(view: View, user: Any = None, session: str = "", proof: Any = None) -> HttpResponse:
    """The answer to a request of *user*, with the cookies that *proof*, an earlier answer, set."""
    request: Any = RequestFactory().get("/pool/status.json")
    if user is not None:
        request.user = user
    if session:
        request.COOKIES["sessionid"] = session
    if proof is not None:
        request.COOKIES.update({name: morsel.value for name, morsel in proof.cookies.items()})
    return view(request, **({"name": "page.js"} if view is views.part else {}))


def person(**qualities: bool) -> Any:
    return SimpleNamespace(**{"is_authenticated": True, "is_active": True, **qualities})


STAFF, CUSTOMER = person(is_staff=True), person(is_staff=False)
NOBODY = SimpleNamespace(is_authenticated=False, is_active=False, is_staff=False)


@pytest.fixture
def staff_only(monitored: Path) -> Iterator[None]:
    urls = "django_db_geventpool.contrib.monitor.urls"
    with override_settings(DJANGO_DB_GEVENTPOOL={"GROUP_DIR": monitored}, ROOT_URLCONF=urls):
        yield


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.__name__)
def test_staff_see_it_and_others_do_not(staff_only: None, view: View) -> None:
    assert asked(view, STAFF).status_code in (200, 501)
    for user in (CUSTOMER, person(is_staff=True, is_active=False), None):
        answer = asked(view, user)
        assert answer.status_code == 403
        assert b"DJANGO_DB_GEVENTPOOL['ACCESS']" in answer.content


def test_whoever_has_not_logged_in_is_sent_there_from_the_page_alone(staff_only: None) -> None:
    answer = asked(views.page, NOBODY)
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/pool/status.json"
    assert asked(views.status, NOBODY).status_code == 403


class Unaskable:
    """To know this user takes a query, for which no connection is free."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_who_was_staff_a_moment_ago_is_not_asked_for_in_the_database(staff_only: None) -> None:
    first = asked(views.page, STAFF, "session 1")
    cookie = first.cookies["django_db_geventpool"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/pool/", True, "Strict")
    assert asked(views.status, Unaskable(), "session 1", first).status_code == 200
    assert asked(views.status, NOBODY, "session 2", first).status_code == 403  # somebody else's
    assert asked(views.status, NOBODY, "", first).status_code == 403  # has logged out
    assert "django_db_geventpool" not in asked(views.page, CUSTOMER, "session 3").cookies


async def later(request: Any) -> bool:
    return False


def is_local(request: Any) -> bool:
    return request.META["REMOTE_ADDR"] == "127.0.0.1"


def test_the_settings_can_name_a_function_that_decides(monitored: Path) -> None:
    with override_settings(DJANGO_DB_GEVENTPOOL={"ACCESS": f"{__name__}.is_local"}):
        assert asked(views.status).status_code == 200
        answer = views.status(RequestFactory().get("/pool/", REMOTE_ADDR="10.0.0.1"))
        assert answer.status_code == 403
        assert views.page(RequestFactory().get("/pool/", REMOTE_ADDR="10.0.0.1")).status_code == 403


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.__name__)
def test_no_transaction_is_begun_for_it(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    assert BaseHandler().make_view_atomic(view) is view


def test_only_true_lets_in(monitored: Path) -> None:
    with override_settings(DJANGO_DB_GEVENTPOOL={"ACCESS": lambda request: "no"}):
        assert asked(views.status, STAFF).status_code == 403


def test_a_function_can_leave_it_to_the_usual_rule(monitored: Path) -> None:
    urls = "django_db_geventpool.contrib.monitor.urls"
    access = {"ACCESS": lambda request: None}
    with override_settings(DJANGO_DB_GEVENTPOOL=access, ROOT_URLCONF=urls):
        first = asked(views.page, STAFF, "session 1")
        assert first.status_code == 200
        assert asked(views.status, Unaskable(), "session 1", first).status_code == 200
        assert asked(views.status, CUSTOMER).status_code == 403
        assert asked(views.page, CUSTOMER).status_code == 403
        assert asked(views.page, NOBODY).status_code == 302


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.__name__)
def test_no_middleware_asks_for_a_login_before_it(view: View) -> None:
    """``LoginRequiredMiddleware``, since Django 5.1: the settings decide, and a pass is enough."""
    assert view.login_required is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.__name__)
def test_it_can_only_be_looked_at(monitored: Path, view: View) -> None:
    assert view(RequestFactory().post("/pool/")).status_code == 405
    assert "no-store" in asked(view)["Cache-Control"]


# -- what they see


def test_the_figures_of_a_process_are_there_for_the_page(monitored: Path, database: Any) -> None:
    one = database(MAX_CONNS=3, MIN_CONNS=1, RELEASE="transaction")
    one.query("SELECT 1")
    status = json.loads(asked(views.status).content)
    (process,) = status["processes"]
    assert process["pid"] == os.getpid() and process["age"] >= 0
    pool = process["pools"][one.alias]
    assert (pool["hub"], pool["release"], pool["stats"]["checkouts"]) == (HUB, "transaction", 1)
    assert status["totals"][one.alias]["stats"] == pool["stats"]
    assert (status["totals"][one.alias]["min_conns"], len(status["bounds"])) == (1, len(BOUNDS))
    assert (status["ended"], status["trouble"]) == ([], "")


def test_nothing_of_how_the_database_is_reached_is_told(monitored: Path, database: Any) -> None:
    one = database(LEAK_THRESHOLD=0)
    with one.connection.cursor():
        text = asked(views.status).content.decode()
    settings = one.connection.settings_dict
    assert one.alias in text
    for secret in filter(None, (settings["PASSWORD"], settings["NAME"], settings["HOST"])):
        assert f"{secret}" not in text


def test_the_page_has_its_own_files_and_no_others(monitored: Path) -> None:
    with override_settings(DJANGO_DB_GEVENTPOOL={"ACCESS": "anyone"}):
        script = views.part(RequestFactory().get("/pool/dom.js"), name="dom.js")
        assert script["Content-Type"] == "text/javascript; charset=utf-8"
        assert script.content.startswith(b"//")
        for name in ("views.py", "../views.py", "..", "", "page"):
            with pytest.raises(Http404):
                views.part(RequestFactory().get("/pool/"), name=name)


def test_without_prometheus_client_it_says_what_to_install(
    monitored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = asked(views.metrics)
    assert answer.status_code == 501
    assert b"pip install 'django-db-geventpool[prometheus]'" in answer.content
