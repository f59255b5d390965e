"""What is told while cells run: one line that changes on a terminal, else a line for each cell."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO

from .results import FAILED, PASSED, SKIPPED, Result
from .runner import Child


def line(result: Result) -> str:
    if result.status == PASSED:
        return f"{result.cell} passed, {result.summary}"
    if result.status == SKIPPED:
        return f"{result.cell} skipped: {result.reason}"
    return f"{result.cell} FAILED: {result.reason}, {result.summary}"


class Progress:
    def __init__(self, total: int, output: TextIO) -> None:
        self._total, self._output = total, output
        self._changing = output.isatty()
        self._ended = self._failed = 0

    def ended(self, result: Result) -> None:
        self._ended += 1
        self._failed += result.status == FAILED
        if not self._changing or result.status != PASSED:
            self.clear()
            print(f"[{self._ended}/{self._total}] {line(result)}", file=self._output, flush=True)

    def running(self, children: Sequence[Child]) -> None:
        if not self._changing:
            return
        parts = [
            f"[{self._ended}/{self._total}]",
            *([f"{self._failed} FAILED"] * bool(self._failed)),
        ]
        parts += [f"{child.cell.name} {child.seconds:.0f} s" for child in children]
        text = "  ".join(parts)[: shutil.get_terminal_size().columns - 1]
        print(f"\r\x1b[K{text}", end="", file=self._output, flush=True)

    def clear(self) -> None:
        if self._changing:
            print("\r\x1b[K", end="", file=self._output, flush=True)
