"""Takes everything a client can take, begins an upload, says so, and waits to be killed."""

import sys
import time
from contextlib import ExitStack

from anyio.abc import ObjectStream
from lab import env, noise


class Endless(ObjectStream):
    """Gives a piece, says so, and never gives another."""

    def __init__(self, port):
        self.port, self.given = port, False

    async def receive(self):
        import anyio

        if self.given:
            await anyio.sleep(1)
            print(self.port, flush=True)
            await anyio.sleep(1000)
        self.given = True
        return noise(60_000)

    async def send(self, item): ...
    async def send_eof(self): ...
    async def aclose(self): ...


with env() as client, ExitStack() as stack:
    flasher = client.storage
    flasher.http.start()
    line = stack.enter_context(flasher.serial.stream())
    line.send(b"mine")
    storage = flasher.http.storage
    file = storage.open("half", "wb")
    with storage.portal.wrap_async_context_manager(storage.resource_async(Endless(flasher.http.get_port()))) as handle:
        storage.call("file_write", file.fd, handle)
time.sleep(1000)
sys.exit("nobody killed it")
