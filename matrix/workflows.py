"""What the files for a forge take from here, written into them: ``python -m matrix.workflows``.

``.github/workflows/ci.yml`` has a row for each cell between two markers, with the Debian packages
that it needs, and ``.pre-commit-config.yaml`` the versions of ``uv.lock``. All else in these files
is written by hand, and the versions of the actions by Dependabot. With ``--check`` nothing is
changed, and the exit code is 1 where that would make a difference.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

from . import ROOT, markers
from .cells import Cell, cells
from .incontainer import packages

BEGIN, END = "# cells: begin (python -m matrix.workflows)\n", "# cells: end\n"


class Unfit(Exception):
    """A file cannot be filled in; the message is for a person."""


def row(cell: Cell) -> str:
    """The cell as a job of its own."""
    told = {"cell": cell.name, "python": f'"{cell.interpreter.removeprefix("python")}"'}
    if packages(cell):
        told["packages"] = " ".join(packages(cell))
    return f"- {{ {', '.join(f'{key}: {value}' for key, value in told.items())} }}\n"


def with_cells(text: str) -> str:
    """:raises Unfit: if the markers are missing."""
    try:
        before, _, after = markers.split(text, BEGIN, END)
    except markers.Missing:
        raise Unfit(f"no lines {BEGIN.strip()!r} and {END.strip()!r}") from None
    indent = before.removesuffix(BEGIN).rpartition("\n")[2]
    rows = [f"{indent}{row(cell)}" for cell in cells()]
    return f"{before}{''.join(rows)}{indent}{after}"


def locked(name: str) -> str:
    """Its version in ``uv.lock``.

    :raises Unfit: unless there is exactly one.
    """
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    found = re.findall(rf'^name = "{re.escape(name)}"\nversion = "(.+)"$', text, re.M)
    if len(found) != 1:
        raise Unfit(f"uv.lock has {len(found)} versions of {name}")
    return str(found[0])


def with_versions(text: str) -> str:
    """Every ``name==version`` as it is locked."""
    return re.sub(r"([\w-]+)==[\w.]+", lambda found: f"{found[1]}=={locked(found[1])}", text)


FILES: dict[str, Callable[[str], str]] = {
    ".github/workflows/ci.yml": with_cells,
    ".pre-commit-config.yaml": with_versions,
}


def differing(write: bool) -> list[str]:
    """The files that are not as they should be; written anew if *write*."""
    found = []
    for name, filled in FILES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        try:
            new = filled(text)
        except Unfit as problem:
            raise Unfit(f"{name}: {problem}") from None
        if new != text:
            found.append(name)
            if write:
                (ROOT / name).write_text(new, encoding="utf-8")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matrix.workflows",
        description="Write the cells and the locked versions into the files for a forge.",
    )
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args(arguments).check
    try:
        found = differing(write=not check)
    except Unfit as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for name in found:
        print(f"{name}: {'differs; python -m matrix.workflows' if check else 'written'}")
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
