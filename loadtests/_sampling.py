"""The sampler as a process that is started and asked for its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from loadtests._judge import Moment, Sampling, Sessions
from matrix import ROOT, postgres


class SamplerProcess:
    """The sampler, from before the first request to after the cool-down."""

    def __init__(
        self,
        database: postgres.Server,
        prefix: str,
        reuse_conns: int,
        *flags: str,
        console: postgres.Server | None = None,
    ) -> None:
        """
        :param flags: see ``loadtests._sampler``.
        :param console: PgBouncer's.
        """
        environ = {**os.environ, "DATABASE_URL": database.url}
        if console is not None:
            environ["PGBOUNCER_URL"] = console.url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests._sampler", prefix, str(reuse_conns), *flags],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C must not end it before it has reported
        )
        assert self._process.stdout is not None
        self._first_line = self._process.stdout.readline()

    def finish(self) -> Sampling:
        """Wait for the cool-down and take the report."""
        lines = (self._first_line + self._process.communicate()[0]).splitlines()
        try:
            report = json.loads(lines[-1])
            for sample in ("peak", "last"):
                report[sample] = {name: Sessions(**seen) for name, seen in report[sample].items()}
            report["series"] = [Moment(**seen) for seen in report["series"]]
            return Sampling(**report)
        except (IndexError, ValueError):
            return Sampling(error=f"the sampler died (exit code {self._process.returncode})")
