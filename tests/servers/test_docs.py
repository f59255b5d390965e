"""docs/servers.md says what these tests run on, and its recipes are those of the site.

What they show of the pools to others is in docs/monitoring.md.
"""

from __future__ import annotations

import re

import pytest

from matrix import markers

from ..scripts import ROOT
from . import versions

PAGE = versions.PAGE.read_text("utf-8")


def test_the_page_has_the_versions_that_are_installed() -> None:
    _, written, _ = markers.split(PAGE, versions.BEGIN, versions.END)
    assert written.strip() == versions.table(), (
        "tox exec -e servers -- python -m tests.servers.versions"
    )


def test_each_test_of_a_server_is_named_and_no_other() -> None:
    pages = PAGE + (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", pages))
    files = (ROOT / "tests" / "servers").glob("test_*.py")
    there = {
        (path.name, name)
        for path in files
        if path.name != "test_docs.py"
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.M)
    }
    assert named == there


@pytest.mark.parametrize("line", re.findall(r"^[\w-]+ = [^()\[{\n]+$", PAGE, re.M))
def test_each_setting_of_a_recipe_is_one_of_the_site(line: str) -> None:
    folder = ROOT / "tests" / "servers" / "site"
    files = [*folder.rglob("*.py"), *folder.rglob("*.ini")]
    assert any(line in path.read_text("utf-8").splitlines() for path in files)
