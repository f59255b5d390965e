"""The harness around the package: servers to run against, and the cells to run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

#: The repository.
ROOT = Path(__file__).resolve().parent.parent
#: The exit code of what cannot run here because something is not installed (an interpreter, a
#: server, a container engine): neither passed nor failed, as automake has it.
ABSENT = 77


def sources_last() -> None:
    """Import the package as it is installed: ``python -m`` finds the repository's folder first.

    What is nowhere else (``tests``, ``matrix``) is still found there, and so is the package where
    it is not installed.
    """
    sys.path.sort(key=lambda folder: Path(folder).resolve() == ROOT)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before the first ``--``, and what after it, which is for pytest."""
    own = list(arguments)
    if "--" not in own:
        return own, []
    at = own.index("--")
    return own[:at], own[at + 1 :]


def unwind_on_sigterm() -> None:
    """A polite kill ends this process like an error, and with it all that it has started."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
