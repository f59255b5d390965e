"""What the system says of processes: whose child each is, and how much memory it keeps."""

from __future__ import annotations

import subprocess
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    kilobytes: int
    """Resident."""


def processes() -> list[Process]:
    """All there are; none where the system has no ``ps``."""
    command = ["ps", "-A", "-o", "pid=,ppid=,rss="]
    try:
        listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [Process(*map(int, line.split())) for line in listed.splitlines()]
