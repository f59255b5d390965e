"""How long to wait before the next connect, after some have failed."""

from __future__ import annotations

import random
from collections.abc import Callable

#: Seconds. So short that service is back at once when the server is, and so long that a process
#: whose server is down asks for it a few times in a second, not once for each request.
FIRST, LONGEST = 0.05, 0.5


class Backoff:
    """Counts the connects that failed in a row; the pool's lock guards it.

    The delay is drawn at random, so that the processes of a site, which all lost the same server in
    the same moment, do not come back in the same moment.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.failures = 0
        self._monotonic = monotonic
        self._not_before = 0.0

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self) -> None:
        self.failures += 1
        longest = min(LONGEST, FIRST * 2 ** min(self.failures, 10))
        self._not_before = self._monotonic() + random.uniform(longest / 2, longest)

    def delay(self) -> float:
        """Seconds from now until the next connect may begin."""
        return max(0.0, self._not_before - self._monotonic()) if self.failures else 0.0
