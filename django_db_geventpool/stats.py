"""What a pool tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PoolStats:
    """A pool at one moment. ``idle + in_use + opening + closing + empty = size``."""

    size: int
    """MAX_CONNS."""

    idle: int
    """Connections that are open and lent to nobody."""

    in_use: int
    """Connections that are checked out."""

    opening: int
    """Slots for which a connect is under way."""

    closing: int
    """Slots whose session has been told to end, but has not left the server yet."""

    waiting: int
    """Callers without a connection."""

    @property
    def empty(self) -> int:
        """Slots for which nothing is open."""
        return self.size - self.idle - self.in_use - self.opening - self.closing

    def __str__(self) -> str:
        return (
            f"MAX_CONNS {self.size}, {self.in_use} in use, {self.idle} idle, "
            f"{self.opening} opening, {self.closing} closing, {self.waiting} waiting"
        )
