"""The tests run on the package as it is installed, which is a wheel where tox runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import django_db_geventpool

from .scripts import run

pytestmark = pytest.mark.skipif(
    "TOX_ENV_NAME" not in os.environ, reason="without tox the sources may be what is installed"
)


def is_installed(file: str) -> bool:
    return Path(sys.prefix).resolve() in Path(file.strip()).resolve().parents


def test_the_tests_import_the_wheel_and_not_the_sources() -> None:
    assert is_installed(str(django_db_geventpool.__file__))


def test_so_do_the_programs_that_they_start() -> None:
    program = "import django_db_geventpool; print(django_db_geventpool.__file__)"
    assert is_installed(run(program))


def test_and_whatever_imports_the_tests() -> None:
    program = "import tests, django_db_geventpool; print(django_db_geventpool.__file__)"
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    assert is_installed(done.stdout)
