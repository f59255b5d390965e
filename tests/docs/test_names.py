"""What the docs name is there."""

from __future__ import annotations

import re

from django_db_geventpool.contrib.metrics import COUNTERS, GAUGES, HISTOGRAMS
from django_db_geventpool.stats import Why

from ..scripts import ROOT


def test_the_tests_that_the_table_of_hazards_names_exist() -> None:
    text = (ROOT / "docs" / "hazards.md").read_text()
    rows = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 33))
    named = re.findall(r"`((?:servers/)?test_\w+\.py)(?:::(test_\w+))?`", text)
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (path := ROOT / "tests" / file).exists()
        or (name and f"def {name}(" not in path.read_text())
    ]
    assert missing == []


def test_the_table_of_metrics_has_all_that_are_told() -> None:
    told = {metric.name for metric in (*GAUGES, *COUNTERS, *HISTOGRAMS)}
    text = (ROOT / "docs" / "monitoring.md").read_text().partition("## The metrics")[2]
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    assert named == told
    reasons = {value for name, value in vars(Why).items() if name.isupper()}
    assert [reason for reason in reasons if f"`{reason}`" not in text] == []
