"""A program that is told what to do line by line: ``matrix.proxy``, ``matrix.restartable``."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys

from . import ROOT


class Program:
    """A program that answers each line with a line, and ends when nobody holds its input.

    A call blocks the hub until the answer is there, so that no greenlet runs in between.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        theirs, commands = os.pipe()
        answers, theirs_too = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs_too,
            start_new_session=True,  # a Ctrl-C is for us
        )
        os.close(theirs)
        os.close(theirs_too)
        # Plain files, which no hub has patched.
        self._commands = io.FileIO(commands, "wb")
        self._answers = io.BufferedReader(io.FileIO(answers, "rb"))

    def read(self) -> str:
        return self._answers.readline().decode()

    def has_answered(self) -> bool:
        return bool(select.select([self._answers], [], [], 0)[0])

    def begin(self, *words: object) -> None:
        self._commands.write((" ".join(map(str, words)) + "\n").encode())

    def tell(self, *words: object) -> str:
        self.begin(*words)
        return self.read()

    def end(self) -> int:
        """Its exit code."""
        self._commands.close()
        self._answers.close()
        return self._process.wait(30)
