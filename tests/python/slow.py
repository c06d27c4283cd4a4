"""Begins an upload, and ends it when its own input ends."""

import sys

import anyio
from anyio.abc import ObjectStream
from lab import env, same


class Slow(ObjectStream):
    pieces = 0

    async def receive(self):
        self.pieces += 1
        if self.pieces == 1:
            return b"first"
        if self.pieces == 2:
            print("uploading", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)
            return b" and last"
        raise anyio.EndOfStream

    async def send(self, item): ...
    async def send_eof(self): ...
    async def aclose(self): ...


with env() as client:
    storage = client.storage.http.storage
    fd = storage.call("open", "slow", "wb")
    with storage.portal.wrap_async_context_manager(storage.resource_async(Slow())) as handle:
        same(storage.call("file_write", fd, handle), None)
