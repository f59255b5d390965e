"""CPU and wall time of a block, of this process alone."""

from __future__ import annotations

import gc
import time
from types import TracebackType


class Clock:
    """``with Clock() as clock: ...``, and then ``clock.figures(count)``.

    Garbage of what went before is collected first, so that nobody pays for his neighbour's.
    """

    def __enter__(self) -> Clock:
        gc.collect()
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cpu = time.process_time() - self._cpu
        self._wall = time.perf_counter() - self._wall

    def figures(self, count: int) -> dict[str, float]:
        """Seconds of CPU and on the wall, for so many operations."""
        return {"cpu": self._cpu, "wall": self._wall, "count": count}
