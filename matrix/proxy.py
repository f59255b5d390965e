"""A TCP proxy in front of a PostgreSQL server, for outages at will: ``python -m matrix.proxy``.

A process of its own, so that neither a blocked hub nor a patched socket module can hold it up. It
reads one command to a line from standard input, and answers each with a line of JSON once it has
taken effect; it ends when its input closes. ``tests.plugin_proxy`` holds the other end.

Commands, each in force until the next:

``start``
    Pass everything on.
``stop``
    Cut every connection and do not listen: a connect is refused, and cannot be counted.
``hang_up``
    Cut every connection, and pass new ones on.
``reset``
    Reset each new connection as soon as it is accepted, and so counted. Those of now go on.
``deaf``
    Accept, but read nothing and answer nothing, on the connections of now neither.
``slow BYTES SECONDS``
    Pass answers on BYTES at a time, SECONDS apart.
``cut BYTES``
    Close a connection after BYTES more of the server's answers on it.
``half_open``
    Forget the connections of now: their sessions end, their clients are told nothing. What comes
    later is passed on.
``counts``
    Change nothing.

Each answer also has the statements that the clients have sent since the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
import time

CHUNK = 65536


class Ear:
    """Reads along what a client says, for its statements.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, statements: list[str]) -> None:
        self._statements = statements
        self._heard = b""
        self._begins = True  # the first messages have no letter
        self._is_lost = False

    def hear(self, data: bytes) -> None:
        if self._is_lost:
            return
        self._heard += data
        head = 4 if self._begins else 5
        while len(self._heard) >= head:
            size = int.from_bytes(self._heard[head - 4 : head], "big") + head - 4
            self._is_lost = not head <= size < 1 << 20  # that is not the protocol
            if self._is_lost or len(self._heard) < size:
                break
            self._understand(self._heard[: head - 4], self._heard[head:size])
            self._heard = self._heard[size:]
            head = 4 if self._begins else 5

    def _understand(self, letter: bytes, body: bytes) -> None:
        if self._begins:
            self._begins = body[:2] != b"\0\3"  # else it asks for encryption
        elif letter == b"Q":
            self._statements.append(body.rstrip(b"\0").decode())
        elif letter == b"P":
            self._statements.append(body.split(b"\0")[1].decode())


class Link:
    """A client and its session; what the one says is passed on to the other."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self.budget = proxy.budget
        self._ear = Ear(proxy.statements)
        self.forgotten = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            await self._proxy.hearing.wait()
            if not self.forgotten.done():
                await self._pass_on()
            if self.forgotten.done():
                while await self._reader.read(CHUNK):
                    pass
        except OSError:  # no server, or a client that is gone
            pass
        finally:
            self._writer.close()

    def cut(self) -> None:
        self._writer.transport.abort()
        self.task.cancel()

    async def _pass_on(self) -> None:
        """Until one side closes, or the link is to be forgotten."""
        reader, writer = await self._proxy.connect()
        pumps = [
            asyncio.ensure_future(self._pump(self._reader, writer, answers=False)),
            asyncio.ensure_future(self._pump(reader, self._writer, answers=True)),
        ]
        try:
            await asyncio.wait([*pumps, self.forgotten], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if not answers:
                    self._ear.hear(data)
                while data and self.budget != 0:
                    await self._proxy.hearing.wait()
                    size, seconds = self._proxy.pace if answers else (CHUNK, 0.0)
                    if answers and self.budget is not None:
                        size = min(size, self.budget)
                        self.budget -= min(size, len(data))
                    writer.write(data[:size])
                    await writer.drain()
                    data = data[size:]
                    await asyncio.sleep(seconds)
                if self.budget == 0:
                    break
        await self._proxy.hearing.wait()


class Proxy:
    """Listens at a port of its own for a server that listens at *host* and *port*."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port
        self._reserved = bound(0)  # so that nobody takes the port while it is not listened at
        self.port: int = self._reserved.getsockname()[1]
        self._listener: asyncio.AbstractServer | None = None
        self._links: set[Link] = set()
        self._connects: list[float] = []
        self._resets = False
        self.statements: list[str] = []
        self.hearing = asyncio.Event()
        self.pace = (CHUNK, 0.0)
        self.budget: int | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._where
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def obey(self, line: str) -> dict[str, object]:
        command, *numbers = line.split()
        if command != "counts":
            await self._be(command, *map(float, numbers))
        statements = self.statements.copy()
        self.statements.clear()
        return {"connects": self._connects, "open": len(self._links), "statements": statements}

    async def _be(self, mode: str, size: float = CHUNK, seconds: float = 0.0) -> None:
        self._resets = mode == "reset"
        self.pace = (int(size), seconds) if mode == "slow" else (CHUNK, 0.0)
        self.budget = int(size) if mode == "cut" else None
        for link in self._links:
            link.budget = self.budget
            if mode == "half_open" and not link.forgotten.done():
                link.forgotten.set_result(None)
        if mode == "stop" and self._listener is not None:
            self._listener.close()
            self._listener = None
        if mode == "deaf":
            self.hearing.clear()
        else:
            self.hearing.set()
        if mode in ("stop", "hang_up"):
            await self._cut_all()
        if mode != "stop" and self._listener is None:
            self._listener = await asyncio.start_server(self._accept, sock=bound(self.port))

    async def _cut_all(self) -> None:
        links = list(self._links)
        for link in links:
            link.cut()
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket in the loop's next turn

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connects.append(time.monotonic())
        if self._resets:
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()
            return
        link = Link(self, reader, writer)
        self._links.add(link)
        link.task.add_done_callback(lambda _: self._links.discard(link))


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


async def main(host: str, port: int) -> None:
    proxy = Proxy(host, port)
    await proxy.obey("start")
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    print(proxy.port, flush=True)
    while line := await commands.readline():
        print(json.dumps(await proxy.obey(line.decode())), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
