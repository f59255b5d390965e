"""JUnit files: those that pytest writes, a file to a cell, and the one of the whole matrix."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from .results import FAILED, SKIPPED, Result, Tests, clean

MOST_FAILURES = 50


def read(path: Path) -> Tests | None:
    """What pytest has written there; None if there is nothing, or not the whole of it."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    skips: Counter[str] = Counter()
    failures: dict[str, str] = {}
    count = failed = 0
    for case in root.iter("testcase"):
        count += 1
        skipped = case.find("skipped")
        broken = case.find("failure") if case.find("error") is None else case.find("error")
        if broken is not None:
            failed += 1
            if len(failures) < MOST_FAILURES:
                name = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
                failures[name] = _first_line(broken)
        elif skipped is not None:
            skips[_first_line(skipped)] += 1
    return Tests(
        passed=count - failed - sum(skips.values()),
        failed=failed,
        skipped=sum(skips.values()),
        versions={
            each.get("name", ""): clean(each.get("value", "")) for each in root.iter("property")
        },
        skips=dict(skips.most_common()),
        failures=failures,
    )


def _first_line(element: ElementTree.Element) -> str:
    text = clean(element.get("message") or element.text or "").strip()
    return text.partition("\n")[0] or "no reason given"


def merged(results: list[Result]) -> str:
    """A test suite for each cell, small enough to be kept in git.

    The counts are those of all tests. Listed are the cell itself, and the tests that failed; the
    whole record of a cell is in its own file, in ``results/``.
    """
    root = ElementTree.Element("testsuites", name="matrix")
    for result in results:
        tests = result.tests
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=result.cell,
            tests=str(tests.ran + tests.skipped),
            failures=str(tests.failed),
            errors=str(int(result.status == FAILED and not tests.failed)),
            skipped=str(tests.skipped),
            time=f"{result.seconds:.1f}",
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in tests.versions.items():
            ElementTree.SubElement(properties, "property", name=name, value=_plain(value))
        for name, message in tests.failures.items():
            case = ElementTree.SubElement(suite, "testcase", classname=result.cell, name=name)
            ElementTree.SubElement(case, "failure", message=_plain(message))
        _itself(suite, result)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(result.seconds for result in results):.1f}")
    return _as_text(root)


def _itself(suite: ElementTree.Element, result: Result) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname="matrix", name=result.cell, time=f"{result.seconds:.1f}"
    )
    if result.status == SKIPPED:
        ElementTree.SubElement(case, "skipped", message=_plain(result.reason))
    elif result.status == FAILED:
        failure = ElementTree.SubElement(case, "failure", message=_plain(result.reason))
        failure.text = _plain(result.tail)


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(
        each for each in text if each in "\t\n" or each >= " " and each not in "\ufffe\uffff"
    )


def _as_text(root: ElementTree.Element) -> str:
    if hasattr(ElementTree, "indent"):
        ElementTree.indent(root, " ")
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'
