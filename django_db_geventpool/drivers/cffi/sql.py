"""``psycopg2.sql``: statements composed of parts, each quoted as what it is.

https://www.psycopg.org/docs/sql.html
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Iterator
from typing import Any, Union

from psycopg2cffi._impl.adapters import _getquoted

Parts = Union["Composable", Iterable["Composable"]]


class Composable:
    """A part of a statement. Cursors take it where they take text."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def as_string(self, context: Any) -> str:
        """As text, quoted for *context*: a connection or a cursor."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._wrapped!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._wrapped == other._wrapped

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Composable) -> Composed:
        if not isinstance(other, Composable):
            return NotImplemented
        return Composed([*_parts(self), *_parts(other)])

    def __mul__(self, times: int) -> Composed:
        return Composed([self] * times)


class Composed(Composable):
    """Parts one after the other."""

    def __init__(self, seq: Iterable[Composable]) -> None:
        parts = list(seq)
        for part in parts:
            if not isinstance(part, Composable):
                raise TypeError(f"Composed elements must be Composable, got {part!r} instead")
        super().__init__(parts)

    @property
    def seq(self) -> list[Composable]:
        return list(self._wrapped)

    def as_string(self, context: Any) -> str:
        return "".join(part.as_string(context) for part in self._wrapped)

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._wrapped)

    def __mul__(self, times: int) -> Composed:
        return Composed(self._wrapped * times)

    def join(self, joiner: str | SQL) -> Composed:
        if isinstance(joiner, str):
            joiner = SQL(joiner)
        if not isinstance(joiner, SQL):
            raise TypeError("Composed.join() argument must be a string or an SQL")
        return joiner.join(self._wrapped)


class SQL(Composable):
    """A piece of the statement itself: never anything that came from outside."""

    def __init__(self, string: str) -> None:
        if not isinstance(string, str):
            raise TypeError("SQL values must be strings")
        super().__init__(string)

    @property
    def string(self) -> str:
        text: str = self._wrapped
        return text

    def as_string(self, context: Any) -> str:
        return self.string

    def format(self, *args: Composable, **kwargs: Composable) -> Composed:
        """Put parts where it has ``{}``, ``{0}`` or ``{name}``."""
        fields = list(string.Formatter().parse(self.string))
        if any(spec or conversion for _, _, spec, conversion in fields):
            raise ValueError("no format specification or conversion supported by SQL")
        if len({not name for _, name, _, _ in fields if name is not None and _is_number(name)}) > 1:
            raise ValueError("cannot mix automatic and manual field numbering")
        parts: list[Composable] = []
        automatic = itertools.count()
        for text, name, _, _ in fields:
            parts += [SQL(text)] if text else []
            if name is not None:
                number = name or str(next(automatic))
                parts.append(args[int(number)] if _is_number(number) else kwargs[name])
        return Composed(parts)

    def join(self, seq: Iterable[Composable]) -> Composed:
        parts: list[Composable] = []
        for part in seq:
            parts += [self, part] if parts else [part]
        return Composed(parts)


class Identifier(Composable):
    """A name, or a qualified one: ``Identifier("schema", "table")``."""

    def __init__(self, *strings: str) -> None:
        if not strings or not all(isinstance(each, str) for each in strings):
            raise TypeError("Identifier takes one or more strings")
        super().__init__(strings)

    @property
    def strings(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self._wrapped
        return names

    @property
    def string(self) -> str:
        if len(self.strings) != 1:
            raise AttributeError("the Identifier wraps more than one string")
        return self.strings[0]

    def __repr__(self) -> str:
        return f"Identifier({', '.join(map(repr, self.strings))})"

    def as_string(self, context: Any) -> str:
        return ".".join(quote_ident(name, context) for name in self.strings)


class Literal(Composable):
    """A value, quoted into the statement."""

    @property
    def wrapped(self) -> Any:
        return self._wrapped

    def as_string(self, context: Any) -> str:
        connection = getattr(context, "connection", context)
        quoted = _getquoted(self._wrapped, connection)
        return quoted.decode(connection._py_enc) if isinstance(quoted, bytes) else str(quoted)


class Placeholder(Composable):
    """Where a parameter goes: ``%s``, or ``%(name)s``."""

    def __init__(self, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or ")" in name):
            raise ValueError(f"invalid name: {name!r}")
        super().__init__(name)

    @property
    def name(self) -> str | None:
        name: str | None = self._wrapped
        return name

    def __repr__(self) -> str:
        return f"Placeholder({self.name!r})" if self.name is not None else "Placeholder()"

    def as_string(self, context: Any) -> str:
        return "%s" if self.name is None else f"%({self.name})s"


NULL = SQL("NULL")
DEFAULT = SQL("DEFAULT")


def quote_ident(name: str, scope: Any = None) -> str:
    """``psycopg2.extensions.quote_ident``."""
    if "\0" in name:
        raise ValueError("an identifier cannot contain NUL (0x00) characters")
    return '"' + name.replace('"', '""') + '"'


def _is_number(name: str) -> bool:
    return not name or name.isdecimal()


def _parts(part: Composable) -> list[Composable]:
    return part.seq if isinstance(part, Composed) else [part]
