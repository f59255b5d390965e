"""CPU and wall time of a block, of this process alone."""

from __future__ import annotations

import gc
import time
from types import TracebackType


class Clock:
    """``with clock: ...``, once or several times, and then ``clock.figures(count)``.

    Garbage of what went before is collected first, so that nobody pays for his neighbour's.
    """

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> Clock:
        gc.collect()
        self._began = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        cpu, wall = self._began
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall

    def figures(self, count: int) -> dict[str, float]:
        """Seconds of CPU and on the wall, for so many operations."""
        return {"cpu": self.cpu, "wall": self.wall, "count": count}
