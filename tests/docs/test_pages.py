"""What the pages say of the package is so: its options, its messages, its states, their lines."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_db_geventpool.config import OPTIONS, PoolConfig
from django_db_geventpool.stats import PoolStats, Why

from .. import plugin_django
from ..scripts import ROOT

DOCS = ROOT / "docs"
PACKAGE = ROOT / "django_db_geventpool"


def read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def sections(text: str, level: int) -> dict[str, str]:
    """The text under each heading of this level, by the heading."""
    mark = "#" * level
    parts = re.split(rf"^{mark} (.+)$", text, flags=re.MULTILINE)
    return {
        heading: re.split(rf"^#{{1,{level}}} ", body, flags=re.MULTILINE)[0]
        for heading, body in zip(parts[1::2], parts[2::2])
    }


# -- settings.md


SETTINGS = {
    heading.strip("`"): text
    for heading, text in sections(read("settings.md"), 3).items()
    if heading.startswith("`")
}


def item(option: str, name: str) -> str:
    """What stands behind a point of the list of an option."""
    found = re.search(rf"^\* \*\*{name}\*\*.*?: `(.+?)`", SETTINGS[option], re.MULTILINE)
    assert found, f"{option} has no {name}"
    return found[1]


def default(option: str) -> Any:
    value = getattr(PoolConfig.from_settings("default", {}), option.lower())
    return "MAX_CONNS" if option == "REUSE_CONNS" else value


def test_the_page_has_each_option_and_no_other() -> None:
    assert sorted(SETTINGS) == sorted(OPTIONS)
    for option, text in SETTINGS.items():
        points = re.findall(r"^\* \*\*(.+?)\*\*", text, re.MULTILINE)
        assert points == ["Unit", "Default", "Accepted", "Refused", "Change it"], option


@pytest.mark.parametrize("option", OPTIONS)
def test_defaults_are_those_of_the_package(option: str) -> None:
    written = item(option, "Default")
    assert (written if written == "MAX_CONNS" else ast.literal_eval(written)) == default(option)


def error_of(option: str, value: object) -> str:
    with pytest.raises(ImproperlyConfigured) as raised:
        PoolConfig.from_settings("default", {"OPTIONS": {option: value}})
    return str(raised.value)


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_refused_and_accepted_is_what_the_error_says(option: str) -> None:
    value, accepted = ast.literal_eval(item(option, "Refused")), item(option, "Accepted")
    assert error_of(option, value) == (
        f"DATABASES['default']: OPTIONS[{option!r}] is {value!r}; accepted is {accepted}."
    )


def test_the_error_that_is_shown_is_one() -> None:
    (shown,) = re.findall(r"^```text\n(.+)\n```$", read("settings.md"), re.MULTILINE)
    assert shown == error_of("MAX_CONNS", 0)


def test_the_readmes_table_has_each_option_with_its_default() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", text, re.MULTILINE))
    assert sorted(rows) == sorted(OPTIONS)
    assert rows.pop("HUB") == "who has patched" and default("HUB") is None
    for option, written in rows.items():
        written = written.strip("`")
        known = written if written == "MAX_CONNS" else ast.literal_eval(written)
        assert known == default(option), option


def test_migrating_names_options_that_there_are() -> None:
    rows = re.findall(r"^\| .+? \| (.+?) \| .*\|$", read("migrating.md"), re.MULTILINE)
    named = set(re.findall(r'"([A-Z_]+)":', " ".join(rows)))
    assert len(named & set(OPTIONS)) > 5
    assert named - set(OPTIONS) <= {"CONN_MAX_AGE", "CONN_HEALTH_CHECKS"}


# -- troubleshooting.md


def templates() -> Iterator[str]:
    """A pattern for each message of the package, its first line: what varies is anything."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    each.value if isinstance(each, ast.Constant) else None for each in node.values
                ]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = [node.value]
            else:
                continue
            if sum(len(str(part)) for part in parts if part) >= 12:
                yield pattern(parts)


def pattern(parts: list[Any]) -> str:
    """Also what logging puts in the place of %r and its like."""
    text = "".join("%s" if part is None else part for part in parts).partition("\n")[0].rstrip()
    return re.sub(r"%(?:\\\.\d)?[rsdf]", ".+?", re.escape(text))


def messages() -> Iterator[tuple[str, str]]:
    """Each message that the page says is the pool's, with its heading."""
    for heading, text in sections(read("troubleshooting.md"), 3).items():
        said = re.search(r"^\*Said by (.+?)\.?\*", text, re.MULTILINE)
        assert said, f"{heading}: by whom?"
        blocks = re.findall(r"^```text\n(.+?)\n```$", text, re.MULTILINE | re.DOTALL)
        assert blocks, f"{heading} quotes nothing"
        if said[1] == "the pool":
            for block in blocks:
                yield heading, block


@pytest.mark.parametrize(("heading", "message"), list(messages()))
def test_a_message_of_ours_is_one_of_the_package(heading: str, message: str) -> None:
    assert any(re.fullmatch(each, message) for each in templates())


def test_the_page_knows_what_people_search_for() -> None:
    text = read("troubleshooting.md")
    assert len(list(messages())) >= 15
    for words in (
        "pool 'default': no connection became free within",
        "remaining connection slots are reserved",
        "the connection is closed",
        "connection already closed",
        "Cannot switch to a different thread",
        "DatabaseWrapper objects created in a thread",
        'cursor "_django_curs_',
        "CONN_MAX_AGE is 60; accepted is 0",
        "has not patched this process",
        "sorry, too many clients already",
    ):
        assert words in text


# -- connection.md


def test_the_picture_and_the_table_have_the_same_numbers() -> None:
    drawing = (DOCS / "connection.svg").read_text("utf-8")
    drawn = re.findall(r'class="number"[^>]*>(\d+)<', drawing)
    told = re.findall(r"^\| (\d+) \|", read("connection.md"), re.MULTILINE)
    assert sorted(drawn, key=int) == told == [str(number) for number in range(1, 13)]
    assert len(re.findall(r'class="way', drawing)) == len(drawn)


def test_the_page_names_each_reason_for_a_close_and_counts_as_the_pool_does() -> None:
    text = read("connection.md")
    (sentence,) = re.findall(r"^Why a connection was closed.*?\n\n", text, re.MULTILINE | re.DOTALL)
    reasons = {value for name, value in vars(Why).items() if name.isupper()}
    assert set(re.findall(r"`([a-z]+)`", sentence)) == reasons
    for name in ("in_use", "opening", "idle", "closing", "empty"):
        assert f"`{name}`" in text and hasattr(PoolStats(1, 0, 0, 0, 0, 0), name)


# -- decisions.md


def test_each_decision_says_why_and_what_follows() -> None:
    for heading, text in sections(read("decisions.md"), 2).items():
        marks = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
        assert marks == ["Context.", "Decision.", "What follows."], heading


# -- start.md


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with a clone in it, as far as pip wants to see one."""
    folder = tmp_path / "django-db-geventpool"
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.mark.timeout(300)
def test_the_lines_of_the_first_page_do_what_it_says(clone: Path, port: int) -> None:
    """They run as they stand, but for the port, which somebody else may have taken."""
    blocks = re.findall(r"^```sh\n(.+?)^```$", read("start.md"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    server = plugin_django.SERVER
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PG", "PYTHON"))},
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGPASSWORD": server.password,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", "\n".join(blocks).replace("8000", str(port))],
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout
    counted = re.findall(r"^ +(\d+) (\d+) sessions on the server$", done.stdout, re.MULTILINE)
    assert sum(int(many) for many, _ in counted) == 100, done.stdout
    assert max(int(sessions) for _, sessions in counted) == 4, done.stdout
