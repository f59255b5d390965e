"""The package as others get it: ``python -m matrix.package``, or ``tox -e package``.

Builds both distributions into ``dist/``, looks into them, and uses them in new environments: the
tests of the source distribution on the wheel, types, and every extra with a query. With ``--release
TAG`` also whether this is the version to be published under that tag.

The last lines are a verdict for each artefact. The exit code is 0 if all checks passed, 1 if one
failed, 2 if nothing was built.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from . import ROOT, postgres
from ._package_envs import Environments
from ._package_files import dead_links, differences, in_git, in_sdist, in_wheel
from .processes import Absent, Failed

DIST = ROOT / "dist"
PACKAGE = "django_db_geventpool"


class Artefact:
    """A file, and what was found out about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checks: list[str] = []

    def check(self, what: str, *problems: str) -> None:
        """Write down one check; it passed if there are no problems."""
        if problems:
            what = f"{what}: {'; '.join(problems)}"
        self.checks.append(f"FAILED {what}" if problems else f"ok     {what}")
        print(self.checks[-1], flush=True)

    def skip(self, what: str, reason: str) -> None:
        """What cannot be done here: with CI set, that is a failure."""
        if os.environ.get("CI"):
            self.check(what, reason)
            return
        self.checks.append(f"skipped {what}: {reason}")
        print(self.checks[-1], flush=True)

    @property
    def ok(self) -> bool:
        return not any(check.startswith("FAILED") for check in self.checks)

    def verdict(self) -> str:
        counts = Counter(check.split()[0] for check in self.checks)
        told = ", ".join(f"{number} {word}" for word, number in counts.items())
        size = self.path.stat().st_size // 1024
        return f"{'passed' if self.ok else 'FAILED'} {self.path.name} ({size} KiB): {told}"


# -- what is in them


def build(source: Path, kind: str, into: Path) -> Path:
    """:param kind: ``sdist`` or ``wheel``.

    :raises Failed: after what the build has said.
    """
    command = ("uv", "build", "--quiet", f"--{kind}", f"--out-dir={into}", str(source))
    before = set(into.glob("*"))
    if subprocess.run(command, cwd=ROOT).returncode:
        raise Failed(f"The {kind} of {source.name} could not be built; see above.")
    (made,) = (path for path in set(into.glob("*")) - before if path.name[0] != ".")
    return made


def contents(sdist: Artefact, wheel: Artefact) -> None:
    for artefact in (sdist, wheel):
        command = (sys.executable, "-m", "twine", "check", "--strict", str(artefact.path))
        done = subprocess.run(command, capture_output=True, text=True)
        artefact.check("twine check --strict", *([done.stdout] if done.returncode else []))
    packed, installed = in_sdist(sdist.path), in_wheel(wheel.path)
    about = f"{PACKAGE}-{wheel.path.name.split('-')[1]}.dist-info"
    versioned = in_git()
    if versioned is None:
        sdist.skip("has all that git has", "this is no clone")
    else:
        made = {"PKG-INFO": packed["PKG-INFO"]}
        sdist.check("has all that git has, and no more", *differences(packed, versioned | made))
    modules = {name: data for name, data in packed.items() if name.startswith(f"{PACKAGE}/")}
    rest = {name: data for name, data in installed.items() if not name.startswith(f"{about}/")}
    wheel.check("has the package and nothing else", *differences(rest, modules))
    needed = {f"{PACKAGE}/py.typed", f"{about}/licenses/LICENSE"}
    wheel.check("is typed and licensed", *(f"no {each}" for each in needed - installed.keys()))
    text = installed[f"{about}/METADATA"].decode()
    wheel.check("its description has no dead link", *dead_links(text))
    with tempfile.TemporaryDirectory() as folder:
        again = build(sdist.path, "wheel", Path(folder))
        sdist.check("builds the same wheel", *differences(in_wheel(again), installed))


# -- whether this may be published


def version() -> str:
    """The one place that says it."""
    text = (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    return str(re.findall(r'^__version__ = "(.+)"$', text, re.M)[0])


def unfit(tag: str, changelog: str, version: str) -> list[str]:
    """What speaks against a release of *version* as *tag*."""
    problems = [] if tag == f"v{version}" else [f"the tag is {tag}, the version {version}"]
    newest = (re.findall(r"^## (.+)$", changelog, re.M) or [""])[0]
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", newest):
        problems.append(f"CHANGELOG.md begins with {newest!r}, not {version} and a date")
    return problems


def run(tag: str | None) -> int:
    shutil.rmtree(DIST, ignore_errors=True)
    sdist, wheel = (Artefact(build(ROOT, kind, DIST)) for kind in ("sdist", "wheel"))
    if tag is not None:
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        sdist.check(f"is to be published as {tag}", *unfit(tag, changelog, version()))
    contents(sdist, wheel)
    with postgres.server() as server, tempfile.TemporaryDirectory() as folder:
        environments = Environments(Path(folder), wheel.path, server)
        uses: list[tuple[Artefact, str, Callable[[], str]]] = [
            (sdist, "its tests pass on the wheel", partial(environments.tests, sdist.path)),
            (wheel, "mypy knows its types", environments.types),
            *((wheel, f"with {each}", each.use) for each in environments.installations()),
        ]
        for artefact, what, use in uses:
            try:
                artefact.check(f"{what}: {use()}")
            except Absent as reason:
                artefact.skip(what, str(reason))
            except Failed as problem:
                artefact.check(what, str(problem))
    print()
    for artefact in (sdist, wheel):
        print(artefact.verdict())
    return 0 if sdist.ok and wheel.ok else 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m matrix.package", description="Build the package, and use what was built."
    )
    parser.add_argument("--release", metavar="TAG", help="also: whether to publish it as TAG")
    try:
        return run(parser.parse_args(arguments).release)
    except (Failed, postgres.ServerUnavailable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
