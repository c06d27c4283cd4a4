"""Drivers of a lab's own, and their client."""

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import create_memory_object_stream
from anyio.streams.stapled import StapledObjectStream
from jumpstarter.client import DriverClient
from jumpstarter.driver import Driver, export, exportstream
from jumpstarter_driver_power.common import PowerReading
from jumpstarter_driver_power.driver import MockPower, PowerInterface
from jumpstarter_driver_pyserial.driver import PySerial


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


@dataclass(kw_only=True)
class Contact(PowerInterface, Driver):
    """A switch behind a socket, which says `ok` to each order."""

    address: str

    def __post_init__(self):
        super().__post_init__()
        tell_process()

    def order(self, what):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as switch:
            switch.sendall(what.encode() + b"\n")
            answer = switch.makefile().readline()
        if answer != "ok\n":
            raise RuntimeError(f"the contact does not switch: {answer!r}")

    @export
    def on(self) -> None:
        self.order("on")

    @export
    def off(self) -> None:
        self.order("off")

    @export
    async def read(self) -> AsyncGenerator[PowerReading, None]:
        yield PowerReading(voltage=12.0, current=0.5)


class Line(PySerial):
    """One of Jumpstarter's own under another name."""

    def __post_init__(self):
        super().__post_init__()
        tell_process()


def tell_process():
    """Adds this process to the file `pids`."""
    with open(os.path.join(os.environ["LAB"], "pids"), "a") as pids:
        print(os.getpid(), file=pids)
