"""What Locust's processes note of each answer, and hand over to the one that leads."""

from __future__ import annotations

import time
from typing import Any


class Notes:
    """Of every answer, by the second in which it came and its site."""

    def __init__(self) -> None:
        self._seconds: dict[str, dict[str, Any]] = {}

    def note(self, response_time: float, exception: Any, context: Any, **_: Any) -> None:
        """Of Locust's event ``request``."""
        key = f"{int(time.time())} {context['site']}"
        milliseconds = str(round_to_two_digits(response_time))
        self._add(key, int(exception is not None), {milliseconds: 1})

    def hand_over(self, data: dict[str, Any], **_: Any) -> None:
        """To the master."""
        data["notes"], self._seconds = self._seconds, {}

    def take_over(self, data: dict[str, Any], **_: Any) -> None:
        """From a worker."""
        for key, noted in data["notes"].items():
            self._add(key, noted["failed"], noted["times"])

    def _add(self, key: str, failed: int, times: dict[str, int]) -> None:
        second = self._seconds.setdefault(key, {"failed": 0, "times": {}})
        second["failed"] += failed
        for milliseconds, count in times.items():
            second["times"][milliseconds] = second["times"].get(milliseconds, 0) + count

    def as_rows(self) -> list[list[Any]]:
        """Second, site, failed, and how many took how many milliseconds."""
        keys = sorted([int(part) for part in key.split()] for key in self._seconds)
        found = ((key, self._seconds[f"{key[0]} {key[1]}"]) for key in keys)
        return [[*key, second["failed"], second["times"]] for key, second in found]


def round_to_two_digits(milliseconds: float) -> int:
    return int(round(milliseconds, min(0, 2 - len(str(int(milliseconds))))))
