"""Servers as processes that end with whoever started them, even if that is killed.

Between a server and its starter stands a process of ours (``python -m matrix.embedded`` is one). It
prints ``ready PORT PASSWORD ORIGIN``, or ``failed REASON``, or ``absent REASON``, and ends the
server when its standard input closes: the starter does that, or its end does.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, ClassVar, TypeVar

from . import ROOT
from .addresses import ServerAbsent, ServerUnavailable

START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0

T = TypeVar("T")


class Failed(Exception):
    """A server or a cell cannot be started; the message is one sentence for a person to read."""


class Absent(Failed):
    """What it would need is not installed on this machine."""


class Account:
    """Whom the server runs as: PostgreSQL refuses root, who therefore lends it to nobody."""

    def __init__(self) -> None:
        self.popen: dict[str, Any] = {}
        self.uid = self.gid = -1
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            import pwd

            nobody = pwd.getpwnam("nobody")
            self.uid, self.gid = nobody.pw_uid, nobody.pw_gid
            self.popen = {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_run(self, program: Path, cwd: Path) -> bool:
        try:
            done = subprocess.run(
                [program, "--version"], cwd=cwd, stdout=subprocess.DEVNULL, **self.popen
            )
        except OSError:
            return False
        return done.returncode == 0

    def own(self, path: Path) -> None:
        if self.uid >= 0:
            os.chown(path, self.uid, self.gid)


def make_folder(account: Account) -> Path:
    """A new temporary folder that the account can reach, and nobody else."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if not os.path.isdir(parent):
            continue
        folder = Path(tempfile.mkdtemp(prefix="embedded-postgres-", dir=parent))
        account.own(folder)
        if account.can_run(Path(shutil.which("env") or "/usr/bin/env"), folder):
            return folder
        folder.rmdir()
    raise Failed("No temporary folder that an unprivileged user can reach; set TMPDIR to one.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Daemon:
    """One server: its folder, its process, its port."""

    NAME: ClassVar[str]
    #: What its log says as soon as it serves.
    READY: ClassVar[bytes]
    #: What ends it, the gentlest first.
    ENDS: ClassVar[tuple[signal.Signals, ...]]

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.account = Account()
        self.folder = make_folder(self.account)
        self.password = secrets.token_urlsafe(16)
        self.port = 0
        self.process: subprocess.Popen[Any] | None = None
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.environ.update(LC_ALL="C", LANG="C")

    def command(self) -> list[str]:
        """What serves on ``self.port``, in the foreground, its log on standard error."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What is done once, before the first :meth:`serve`."""

    def start(self) -> None:
        self.prepare()
        for attempt in range(3):  # somebody may take the port between finding and binding it
            self.port = free_port()
            if self.serve():
                return
            print(f"attempt {attempt + 1} to start {self.NAME} failed", file=sys.stderr)
        raise Failed(f"{self.NAME} did not start: {self.last_log_line()}")

    def serve(self) -> bool:
        with open(self.folder / "log", "wb") as log:
            process = self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.account.popen,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            if self.READY in (self.folder / "log").read_bytes():
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def secret(self, name: str, text: str) -> Path:
        """A file that only the account can read: a command line is for everybody to see."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self.account.own(path)
        return path

    def last_log_line(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote no log"

    def stop(self) -> None:
        if self.process is None:
            return
        for how in self.ENDS:
            if self.process.poll() is None:
                self.process.send_signal(how)
            try:
                self.process.wait(STOP_TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(find: Callable[[], T], make: Callable[[T], Daemon]) -> int:
    """The process in between: *find* what to run, make it, serve until the starter lets go.

    A polite kill ends *find*, which may wait for a network; afterwards there is a folder to remove.
    """
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        found = find()
        for ignored in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
            if ignored is not None:
                signal.signal(ignored, signal.SIG_IGN)  # the end of the pipe is the one way to end
        daemon = make(found)
        try:
            daemon.start()
            print("ready", daemon.port, daemon.password, daemon.origin, flush=True)
            sys.stdin.read()
        finally:
            daemon.remove()
    except Failed as failure:
        with contextlib.suppress(BrokenPipeError):
            print("absent" if isinstance(failure, Absent) else "failed", failure, flush=True)
        return 1
    except BrokenPipeError:  # the starter died before it could read
        return 1
    return 0


@contextlib.contextmanager
def started(
    module: str, environ: Mapping[str, str], *told: object
) -> Iterator[tuple[int, str, str]]:
    """Port, password and origin of what *module* serves, for the time of the block.

    :param environ: what says which server; all that does not begin with PG is inherited, too.
    :param told: words for its standard input.
    :raises ServerUnavailable: with the reason that the process has given.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**inherited, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C is for us; we then end the server in order
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        print(*told, file=process.stdin, flush=True)
        kind, _, rest = process.stdout.readline().strip().partition(" ")
        if kind == "absent":
            raise ServerAbsent(rest)
        if kind != "ready":
            raise ServerUnavailable(
                rest
                or "The embedded PostgreSQL did not start. Set DATABASE_URL to a server that you "
                "have, or PG_PROVIDER=container where a container engine runs."
            )
        port, password, origin = rest.split(" ", 2)
        yield int(port), password, origin
    finally:
        process.terminate()  # it heeds that only while it looks for something to run
        process.stdin.close()
        process.wait()
        process.stdout.close()
