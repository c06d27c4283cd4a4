"""Drivers of a lab's own, and their client."""

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import create_memory_object_stream
from anyio.streams.stapled import StapledObjectStream
from jumpstarter.client import DriverClient
from jumpstarter.driver import Driver, export, exportstream
from jumpstarter_driver_power.driver import MockPower


class Switch(MockPower):
    """One of Jumpstarter's own under another name."""


class RelayClient(DriverClient):
    def echo(self, text):
        return self.call("echo", text)

    def count(self, most):
        return list(self.streamingcall("count", most))


@dataclass(kw_only=True)
class Relay(Driver):
    label: str

    @classmethod
    def client(cls):
        return "in_house.RelayClient"

    @export
    def echo(self, text: str) -> str:
        return f"{self.label}: {text}"

    @export
    def fail(self):
        raise ValueError("no such contact")

    @export
    async def count(self, most: int):
        for number in range(int(most)):
            yield number

    @export
    def pid(self) -> int:
        return os.getpid()

    @export
    def die(self):
        os._exit(3)

    @exportstream
    @asynccontextmanager
    async def connect(self):
        send, receive = create_memory_object_stream(32)
        async with StapledObjectStream(send, receive) as stream:
            yield stream
