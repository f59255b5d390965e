"""The report of the matrix, of results that were made up; ``test_page.py`` looks at it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from matrix import ROOT, junit, markdown
from matrix.cells import EXCLUDED, candidates, cells
from matrix.layout import called, core, more
from matrix.markup import linked
from matrix.page import page
from matrix.results import FAILED, PASSED, SKIPPED

from . import made_up


class Reader(HTMLParser):
    """The elements of a page, and what is wrong with how they are nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.wrong: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in ("meta", "link", "col", "use", "img"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_every_cell_and_every_exclusion_is_on_the_page() -> None:
    record = made_up.record(leave_out=3)
    reader = Reader(page(record))
    assert reader.wrong == []
    shown = [each for each in reader.all("button") if each.get("class", "").startswith("cell ")]
    assert sorted(each["id"] for each in shown) == sorted(cell.name for cell in cells())
    details = {each.get("id") for each in reader.all("article")}
    assert {each["popovertarget"] for each in shown} == details
    squares = [int(each["colspan"]) for each in reader.all("td") if each.get("class") == "excluded"]
    assert sum(squares) == len(list(candidates())) - len(cells())
    assert {each.get("href") for each in reader.all("a")} >= {each.link for each in EXCLUDED}


def test_the_tables_have_every_candidate_once() -> None:
    every = [*candidates(), *made_up.many()]
    squares = [
        cell for table in (core(every), more(every)) for row in table.rows for cell in row.cells
    ]
    assert sorted(str(each) for each in squares if each) == sorted(map(str, every))


def test_what_a_run_says_is_never_markup() -> None:
    text = page(made_up.record(partial=True))
    reader = Reader(text)
    assert made_up.EVIL not in text
    assert reader.all("img") == [] and len(reader.all("script")) == 1
    assert "&lt;script&gt;document.title" in text


def test_the_page_loads_nothing_and_lets_only_its_own_script_run() -> None:
    reader = Reader(page(made_up.record()))
    assert [each["href"] for each in reader.all("link")] == ["data:,"]
    assert all("src" not in attributes for _, attributes in reader.found)
    (policy,) = (each["content"] for each in reader.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    assert not any(name.startswith("on") for _, found in reader.found for name in found)


def test_only_https_addresses_become_links() -> None:
    assert linked("see https://a.org/x?y=1#z, or (https://b.org).") == (
        'see <a href="https://a.org/x?y=1#z">https://a.org/x?y=1#z</a>, or '
        '(<a href="https://b.org">https://b.org</a>).'
    )
    for text in ("javascript:alert(1)", 'https://"onclick="x', "http://a.org"):
        assert "<a" not in linked(text)
    assert linked('https://a.org/"><script>') == (
        '<a href="https://a.org/">https://a.org/</a>&quot;&gt;&lt;script&gt;'
    )


def test_the_headline_says_the_worst() -> None:
    def headline(**how: object) -> str:
        found = re.search("<h1>(.*)</h1>", page(made_up.record(**how)))  # type: ignore[arg-type]
        assert found
        return found[1]

    total = len(cells())
    assert headline(every=PASSED) == "Every cell passed"
    assert (
        headline(every=PASSED, leave_out=2) == f"{total - 2} of {total} cells passed, none failed"
    )
    assert headline(every=SKIPPED) == f"0 of {total} cells passed, none failed"
    assert headline(every=FAILED) == f"{total - 1} of {total} cells failed"  # one may


def test_a_partial_run_is_marked_on_the_page_and_in_the_table() -> None:
    record = made_up.record(partial=True)
    assert '<p class="partial"><b>Partial.</b>' in page(record)
    assert "PARTIAL" in markdown.document(record)
    assert "Partial" not in page(made_up.record())
    assert "PARTIAL" not in markdown.document(made_up.record())


def test_names_are_for_people() -> None:
    names = ("py310", "pypy311", "django42", "django61", "psycopg3", "pg14", "min", "nothing")
    assert [called(name) for name in names] == [
        *("Python 3.10", "PyPy 3.11", "Django 4.2", "Django 6.1", "psycopg 3"),
        *("PostgreSQL 14", "lowest versions", "nothing"),
    ]


# -- Markdown


def test_the_table_for_the_readme_has_the_core(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{markdown.BEGIN}\nold\n{markdown.END}\nafter\n", encoding="utf-8")
    record = made_up.record(every=PASSED)
    markdown.into_readme(record, readme)
    lines = readme.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    assert lines[2].startswith("| | Django 4.2 | Django 5.0 |")
    assert "| Python 3.9, psycopg2 | ✓ | – | – | – | – | – |" in lines
    assert "| PyPy 3.11, psycopg2cffi | ✓ | ✓ | ✓ | ✓ | – | – |" in lines
    assert not any("Python 3.9, psycopg2cffi" in line for line in lines)
    markdown.into_readme(record, readme)
    assert readme.read_text(encoding="utf-8").splitlines() == lines


def test_results_that_are_not_whole_do_not_get_into_the_readme(tmp_path: Path) -> None:
    for unfit in (
        made_up.record(every=PASSED, leave_out=len(cells()) - 3),
        made_up.record(every=SKIPPED),
        made_up.record(every=PASSED, partial=True),
    ):
        with pytest.raises(markdown.Unfit):
            markdown.into_readme(unfit, tmp_path / "README.md")
    (tmp_path / "README.md").write_text("no markers", encoding="utf-8")
    with pytest.raises(markdown.Unfit):
        markdown.into_readme(made_up.record(every=PASSED), tmp_path / "README.md")


def test_the_readme_has_a_place_for_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(markdown.BEGIN) == text.count(markdown.END) == 1
    assert text.index(markdown.BEGIN) < text.index(markdown.END)


def test_what_a_run_says_is_no_markdown_either() -> None:
    assert "<script" not in markdown.document(made_up.record()).replace("\\<script", "")


# -- JUnit


def test_the_merged_record_can_be_read_again_and_has_all_counts() -> None:
    record = made_up.record()
    results = [replace(each, tail=f"{each.tail}\x00\x1b\ufffe") for each in record.results.values()]
    root = ElementTree.fromstring(junit.merged(results))
    assert len(root) == len(record.results)
    assert int(root.get("tests", 0)) == sum(r.tests.ran + r.tests.skipped for r in results)
    failed = [
        case.get("name") for case in root.iter("testcase") if case.find("failure") is not None
    ]
    assert {result.cell for result in record.failed} < set(failed)
    assert len(junit.merged(results)) < 300_000


def test_a_junit_file_that_was_cut_short_is_none(tmp_path: Path) -> None:
    assert junit.read(tmp_path / "none.xml") is None
    (tmp_path / "cut.xml").write_text("<testsuites><testsuite><testcase", encoding="utf-8")
    assert junit.read(tmp_path / "cut.xml") is None


def test_an_error_beside_a_test_is_a_failure(tmp_path: Path) -> None:
    text = '<s><testcase classname="a" name="b"><error message="at teardown"/></testcase></s>'
    (tmp_path / "one.xml").write_text(text, encoding="utf-8")
    found = junit.read(tmp_path / "one.xml")
    assert found and (found.failed, found.failures) == (1, {"a.b": "at teardown"})
