"""What the package says of itself agrees with the matrix; what looks at it sees what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import django_db_geventpool
from matrix import ROOT, _package_envs, _package_probe, package
from matrix._package_files import dead_links, differences
from matrix.cells import DJANGOS, DRIVERS, PYTHONS

tomllib = pytest.importorskip(
    "tomllib", reason="new in Python 3.11: https://docs.python.org/3/library/tomllib.html"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def classified(prefix: str) -> set[str]:
    """What follows *prefix* in a classifier, where it is a version."""
    found = (re.fullmatch(rf"{prefix} :: (\d+\.\d+)", each) for each in PROJECT["classifiers"])
    return {each[1] for each in found if each}


def test_the_classifiers_name_the_pythons_of_the_matrix() -> None:
    minors = {re.sub(r"^(py|pypy)3", "3.", name) for name in PYTHONS}
    assert classified("Programming Language :: Python") == minors
    prefix = "Programming Language :: Python :: Implementation :: "
    named = {each[len(prefix) :] for each in PROJECT["classifiers"] if each.startswith(prefix)}
    assert named == {"PyPy" if name.startswith("pypy") else "CPython" for name in PYTHONS}


def test_the_classifiers_name_the_djangos_of_the_matrix() -> None:
    releases = {f"{name[6:-1]}.{name[-1]}" for name in DJANGOS}
    assert classified("Framework :: Django") == releases


def test_the_oldest_python_of_the_matrix_is_the_oldest_that_is_admitted() -> None:
    oldest = min(int(re.sub(r"^(py|pypy)3", "", name)) for name in PYTHONS)
    assert PROJECT["requires-python"] == f">=3.{oldest}"


def test_every_driver_and_hub_is_an_extra() -> None:
    assert {*DRIVERS, "gevent", "eventlet", "postgis"} <= PROJECT["optional-dependencies"].keys()


def test_every_extra_is_installed_by_some_environment() -> None:
    offered = [*PROJECT["optional-dependencies"], "one-that-is-new"]
    installed = {extra for extras, _, _ in _package_envs.plan(offered) for extra in extras}
    assert installed == set(offered)


def test_every_engine_is_asked_by_some_environment() -> None:
    asked = {engine for _, _, engines in _package_envs.plan([]) for engine in engines}
    assert asked == set(_package_probe.ENGINES)


def test_the_names_that_are_imported_from_the_wheel_are_those_of_the_pages() -> None:
    table = re.findall(r"^\| `(\w+)` \| (?:psycopg|GeoDjango)", README, re.M)
    assert sorted(table) == sorted(_package_probe.ENGINES)
    named = set(re.findall(r"\bdjango_db_geventpool\.(?!backends)([\w.]+\w)", README))
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    pattern = r"^ *from django_db_geventpool\.(?!backends)(\S+) import (.+)$"
    imported = re.findall(pattern, pages, re.M)
    named |= {f"{module}.{name}" for module, names in imported for name in names.split(", ")}
    known = {f"{module}.{name}" for module, names in _package_probe.NAMES.items() for name in names}
    known |= {name for names in _package_envs.NAMES.values() for name in names}
    assert {"errors.PoolTimeout", "utils.close_connection"} <= named
    assert named - known - _package_probe.NAMES.keys() == set()


def test_the_version_is_that_of_the_changelog_and_is_said_once() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {django_db_geventpool.__version__} (" in changelog
    assert package.version() == django_db_geventpool.__version__
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT


@pytest.mark.parametrize(
    ("tag", "heading", "problem"),
    [
        ("v5.0.0", "5.0.0 (2026-01-31)", ""),
        ("5.0.0", "5.0.0 (2026-01-31)", "the tag is 5.0.0, the version 5.0.0"),
        ("v5.0.1", "5.0.0 (2026-01-31)", "the tag is v5.0.1"),
        ("v5.0.0", "5.0.0 (unreleased)", "CHANGELOG.md begins with '5.0.0 (unreleased)'"),
        ("v5.0.0", "5.0.1 (2026-01-31)", "CHANGELOG.md begins with '5.0.1"),
    ],
)
def test_only_a_tag_of_this_version_with_a_date_is_released(
    tag: str, heading: str, problem: str
) -> None:
    problems = package.unfit(
        tag, f"# Changelog\n\n## {heading}\n\n## 4.0.0 (2020-01-01)\n", "5.0.0"
    )
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def test_what_differs_between_two_archives_is_named() -> None:
    expected = {"a": b"1", "b": b"2", "c": b"3"}
    assert differences(expected, expected) == []
    found = differences({"a": b"1", "b": b"0", "d": b"4"}, expected)
    assert found == ["1 missing (c)", "1 not expected (d)", "1 not the same (b)"]


def test_a_link_into_the_repository_is_dead_on_pypi() -> None:
    text = "[a](docs/a.md), [b](https://example.org/), [c](#c), docs/d.md"
    assert dead_links(text) == ["a link to docs/a.md", "a link to #c"]


def test_what_cannot_be_done_here_is_a_failure_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "one.whl"
    path.touch()
    for ci, ok in (("", True), ("true", False)):
        monkeypatch.setenv("CI", ci)
        artefact = package.Artefact(path)
        artefact.check("is there")
        artefact.skip("with [postgis]", "no GDAL")
        assert artefact.ok is ok
        assert artefact.verdict().startswith(f"{'passed' if ok else 'FAILED'} one.whl")
