"""What a client in C with nothing around it makes of the same server: the limit."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from matrix import binaries
from matrix.addresses import Server
from matrix.processes import Failed

CLIENTS = 20
SCRIPT = "SELECT 1;\n"


class PgbenchAbsent(Exception):
    """There is none on this machine, or it failed; the message says which."""


def find() -> str:
    """That of the server which is started here, or the system's."""
    try:
        program = binaries.find(os.environ).program("pgbench")
    except Failed:
        program = Path()
    found = str(program) if program.is_file() else shutil.which("pgbench")
    if found is None:
        raise PgbenchAbsent("pgbench is not installed")
    return found


def run(server: Server, count: int) -> Mapping[str, float]:
    """The figures of so many queries on 20 connections, by one thread.

    Less the CPU of one query on each: its start and 20 logins take longer than many queries.
    """
    start, _, few = _run(server, 1)
    whole, rate, many = _run(server, max(2, count // CLIENTS))
    return {"cpu": whole - start, "wall": (many - few) / rate, "count": many - few}


def _run(server: Server, transactions: int) -> tuple[float, float, int]:
    """Seconds of CPU, queries in a second (logins excluded), and how many there were."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        done = subprocess.run(
            [find(), "--no-vacuum", f"--client={CLIENTS}", "--jobs=1", f"--file={script.name}"]
            + [f"--transactions={transactions}", f"--host={server.host}"]
            + [f"--port={server.port}", f"--username={server.user}", server.dbname],
            env={**os.environ, "PGPASSWORD": server.password},
            capture_output=True,
            text=True,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    made = re.search(r"actually processed: (\d+)", done.stdout)
    if done.returncode or rate is None or made is None:
        raise PgbenchAbsent(f"pgbench ended with code {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, float(rate[1]), int(made[1])
