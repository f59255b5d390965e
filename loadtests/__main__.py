"""``python -m loadtests``: a server, the demo site on it, and Locust, all ended again.

With names first, ``python -m loadtests NAME ...``, scenarios are played: see ``_command.py``.

The exit code is Locust's: 0 the verdict is passed, 1 it is FAILED, 2 there was nothing to test.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from demo import run
from loadtests import _command
from matrix import postgres, unwind_on_sigterm

DEFAULTS = ["--headless", "--only-summary", "-u", "100", "-r", "50", "-t", "30s"]
#: Seconds for Locust to stop its users, let the site cool down and say its verdict.
STOP_TIMEOUT = 20.0


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own options, and Locust's."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests",
        allow_abbrev=False,
        description="Load the demo site on a server of its own, and judge its connection pool.",
        epilog="Everything else goes to Locust and overrides what is its default here: "
        f"{' '.join(DEFAULTS)}. See: locust -f loadtests/ --help",
    )
    parser.add_argument("--json", metavar="FILE", help="store the verdict and its figures here")
    return parser.parse_known_args(arguments)


def locust(host: str, database_url: str, arguments: list[str]) -> int:
    """Run Locust to its end; it does not outlive us."""
    folder = Path(__file__).resolve().parent
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(folder), "-H", host, *DEFAULTS, *arguments],
        env={**os.environ, "DATABASE_URL": database_url},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,  # one stream, so that the verdict stays the last line
        start_new_session=True,  # a Ctrl-C is for us; we then end Locust in order
    )
    try:
        return process.wait()
    except BaseException:
        process.terminate()  # a SIGINT would hit one of its greenlets, with a traceback
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main(arguments: list[str]) -> int:
    unwind_on_sigterm()
    names, rest = _command.names_in(arguments)
    if names:
        try:
            return _command.main(names, rest)
        except KeyboardInterrupt:
            return 130
    options, for_locust = parse(arguments)
    if options.json:
        for_locust += ["--verdict-json", options.json]
    try:
        with postgres.server() as server:
            print(f"PostgreSQL ({server.origin}) at {server.host}:{server.port}", flush=True)
            with run.site(database_url=server.url) as host:
                print(f"The demo site at {host}; now Locust loads it", flush=True)
                return locust(host, server.url, for_locust)
    except (postgres.ServerUnavailable, run.SiteUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
