"""A real server on a socket that answers, or does not, as a test wants."""

import asyncio
import contextlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answers:
    """What the server writes, byte for byte, before it closes the connection."""

    text: str


@dataclass(frozen=True)
class Hangs:
    """It reads the request and says nothing."""


@dataclass(frozen=True)
class Dies:
    """It breaks the connection, after it has written a part of an answer or nothing."""

    text: str = ""


def status(code, *headers, body=""):
    lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return Answers("\r\n".join([*lines, "", body]))


@dataclass
class Server:
    """What it was sent, and where it is. The last behaviour is that of all later requests."""

    behaviours: list
    url: str = ""
    requests: list = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            self.requests.append((head, await reader.readexactly(length)))
            self.arrived.set()
            await self.behave(writer)

    async def behave(self, writer):
        behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        match behaviour:
            case Answers(text):
                writer.write(text.encode())
                await writer.drain()
            case Hangs():
                await asyncio.Event().wait()
            case Dies(text):
                writer.write(text.encode())
                await writer.drain()
                writer.transport.abort()


@contextlib.asynccontextmanager
async def receiving(*behaviours, tls=None):
    """Serve until the block is left."""
    receiver, busy = Server(list(behaviours)), set()

    async def serve(reader, writer):
        task = asyncio.current_task()
        busy.add(task)
        try:
            await receiver.serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            busy.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
