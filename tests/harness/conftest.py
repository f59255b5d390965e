"""The browser of those tests that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from .chromium import NoChromium, chromium  # selenium: tox -e loadtests has none

    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as one:
            yield one
    except NoChromium as error:
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))
