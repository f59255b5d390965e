"""The files for a forge say what the matrix, the locks and ``.ci/run`` say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from matrix import ROOT, workflows
from matrix.cells import cells

CI = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_the_files_are_as_they_would_be_written() -> None:
    assert workflows.differing(write=False) == [], "python -m matrix.workflows writes them"


def test_a_cell_more_or_a_newer_version_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (*workflows.FILES, "uv.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(workflows, "ROOT", tmp_path)
    lock = tmp_path / "uv.lock"
    old = workflows.locked("ruff")
    text = lock.read_text(encoding="utf-8")
    lock.write_text(text.replace(f'"ruff"\nversion = "{old}"', '"ruff"\nversion = "99.1"'), "utf-8")
    monkeypatch.setattr(workflows, "cells", lambda: cells()[1:])
    assert workflows.main(["--check"]) == 1
    assert workflows.main([]) == 0
    assert workflows.differing(write=False) == []
    assert "ruff==99.1" in (tmp_path / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    written = (tmp_path / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert written.count("- { cell: ") == len(cells()) - 1


def test_a_file_without_markers_is_refused() -> None:
    with pytest.raises(workflows.Unfit, match="no lines '# cells: begin"):
        workflows.with_cells("jobs:\n")


def test_what_ci_runs_on_one_machine_the_workflow_runs_too() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    named = re.findall(r"(?:tox -q -e|^readme_step) ([\w,$-]+)", script, re.M)
    names = {name for each in named for name in each.split(",")}
    names |= {
        name.replace("$driver", driver) for name in names for driver in ("psycopg2", "psycopg3")
    }
    names = {name for name in names if "$" not in name}
    assert {"lint", "package", "harness"} <= names
    rows = re.findall(r"^ +- tox: (\S+)", CI, re.M)
    run = {name for row in rows for name in row.split(",")}
    # The cells have jobs of their own; a benchmark wants a machine that nobody else uses; and
    # py-psycopg3 is a cell on whatever Python there is.
    assert names - run == {"matrix", "bench", "py-psycopg2", "py-psycopg3"}


def test_the_linters_are_given_every_file_of_the_forge() -> None:
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    lint = tox.partition("[testenv:lint]")[2].partition("\n[")[0]
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / ".github").rglob("*.yml")]
    assert len(files) > 4
    for file in files:
        assert file in lint or file == ".github/zizmor.yml", file


def test_every_environment_that_the_contributors_are_told_of_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    column = re.findall(r"\| ([^|\n]*) \|$", text, re.M)
    named = {name.split(" ")[0] for each in column for name in re.findall(r"`([^`]+)`", each)}
    cell = re.compile(r"py(\d\d+-django\d\d-)?psycopg[23](-\w+)?|py-psycopg[23]")
    sections = {
        name
        for each in re.findall(r"^\[testenv:\{?([\w,]+)", tox, re.M)
        for name in each.split(",")
    }
    named.remove("tox")  # of the heading
    unknown = {name for name in named if not cell.fullmatch(name)} - sections
    assert len(named) > 8 and unknown == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_what_these_pages_name_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!https://)([^)\s]+)\)", text)]
    paths = re.findall(r"`((?:docs|tests|matrix|benchmarks|loadtests|\.github)/[\w./-]+)`", text)
    for path in filter(None, (*links, *paths)):
        if "report" not in path:
            assert (ROOT / path).exists(), path
