"""The cells, tox.ini and the locks say the same."""

from __future__ import annotations

import configparser
import re
import subprocess
from itertools import product
from pathlib import Path

import pytest

from matrix import ROOT
from matrix.cells import EXCLUDED, PYTHONS, Cell, candidates, cells, why_not


def expand(pattern: str) -> list[str]:
    """What tox makes of a line with {a,b} in it."""
    parts = re.split(r"\{([^}]*)\}", pattern)
    choices = [part.split(",") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def factors(section: str, key: str) -> dict[str, set[str]]:
    """The values of a key of tox.ini, by the factors (a, a-b) that ask for them."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    found: dict[str, set[str]] = {}
    for line in tox[section][key].strip().splitlines():
        factor, _, value = line.rpartition(": ")
        found.setdefault(factor.strip(), set()).add(value.strip())
    return found


def test_tox_has_an_environment_for_each_cell_and_no_other() -> None:
    listed = [name for line in factors("tox", "env_list")[""] for name in expand(line)]
    assert sorted(set(listed) - {"lint", "type"}) == sorted(cell.name for cell in cells())


def test_no_cell_is_named_twice() -> None:
    names = [cell.name for cell in candidates()]
    assert len(names) == len(set(names))


def test_every_exclusion_has_a_reason_and_a_link_and_excludes_something() -> None:
    used = {why_not(cell) for cell in candidates()}
    for exclusion in EXCLUDED:
        assert exclusion.reason and exclusion.link.startswith("https://")
        assert exclusion in used, f"nothing is excluded by: {exclusion.reason}"


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_has_a_cell(python: str) -> None:
    assert any(cell.python == python for cell in cells())


def test_the_name_of_an_interpreter_is_the_command_that_starts_it() -> None:
    assert Cell("py39", "django42", "psycopg2").interpreter == "python3.9"
    assert Cell("pypy311", "django42", "psycopg3").interpreter == "pypy3.11"


def locked_groups() -> dict[str, set[str]]:
    """The names in uv.lock's [[package]] for this project: its groups and its extras."""
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    own = text[text.index('name = "django-db-geventpool"') :].partition("\n[[package]]")[0]
    found = {}
    for section in ("optional-dependencies", "dev-dependencies"):
        part = own.partition(f"[package.{section}]")[2].partition("\n[package.")[0]
        found[section] = set(re.findall(r"^(\w+) = \[", part, re.M))
    return found


@pytest.mark.parametrize("cell", cells(), ids=lambda cell: cell.name)
def test_a_cell_installs_locked_versions_only(cell: Cell) -> None:
    if cell.may_fail:
        assert factors("testenv", "ignore_outcome") == {cell.django: {"true"}}
        return  # it follows a branch: nothing there to lock
    groups, extras = factors("testenv", "dependency_groups"), factors("testenv", "extras")
    locked = locked_groups()
    assert extras[cell.driver] <= locked["optional-dependencies"]
    if cell.variant == "min":
        (line,) = factors("testenv", "deps")[f"{cell.driver}-min"]
        assert_has_hashes(ROOT / line[len("-r ") :])
    else:
        assert groups[cell.django] == {cell.django} <= locked["dev-dependencies"]
        assert factors("testenv", "runner")["!min-!djangomain"] == {"uv-venv-lock-runner"}


def assert_has_hashes(requirements: Path) -> None:
    lines = re.findall(r"^\S+==.*$(?:\n +.*$)*", requirements.read_text("utf-8"), re.M)
    assert lines
    for line in lines:
        assert "--hash=sha256:" in line, line


def test_ci_fails_where_the_readme_has_not_the_line_that_it_is_to_run(tmp_path: Path) -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    functions = script[script.index("step() {") : script.index("\nreadme_step ")]
    named = re.findall(r"^readme_step (\S+)$", script, re.M)
    assert len(named) == 2
    (tmp_path / "README.md").write_text("python3 -m venv .venv -h && echo it ran tox -q -e load\n")

    def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
        program = f"set -euo pipefail\n{functions}\nreadme_step {name}\n"
        return subprocess.run(
            ["bash", "-c", program], cwd=folder, capture_output=True, text=True, timeout=60
        )

    assert "it ran" in run("load", tmp_path).stdout
    missing = run("lost", tmp_path)
    assert (
        missing.returncode == 1 and "has no line that ends with: tox -q -e lost" in missing.stdout
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in named:
        assert re.search(rf"^python3 -m venv .*tox -q -e {name}$", readme, re.M)
