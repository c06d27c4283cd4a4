"""Control lines of a serial port. With a port number: a serial server (RFC 2217) that writes down how they were set."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import serial
from serial.rfc2217 import PortManager

record = Path(os.environ["LAB"]) / "lines"


class Port(serial.serialutil.SerialBase):
    """A port of which only the control lines exist."""

    cts = dsr = ri = cd = False
    BAUDRATES = ()

    def _reconfigure_port(self):
        pass

    def __init__(self):
        super().__init__()
        self.is_open = True

    def _update_dtr_state(self):
        with record.open("a") as file:
            file.write(f"dtr {self._dtr_state}\n")

    def _update_rts_state(self):
        with record.open("a") as file:
            file.write(f"rts {self._rts_state}\n")

    def _update_break_state(self):
        pass

    def reset_input_buffer(self):
        pass

    def reset_output_buffer(self):
        pass


class Connection:
    def __init__(self, socket):
        self.socket = socket

    def write(self, data):
        self.socket.sendall(data)


def talk(client):
    with client, suppress(ConnectionError):
        manager = PortManager(Port(), Connection(client))
        while data := client.recv(4096):
            for _ in manager.filter(data):
                pass


def serve(port):
    with socket.create_server(("127.0.0.1", port)) as server:
        print("ready", flush=True)
        while True:
            Thread(target=talk, args=[server.accept()[0]], daemon=True).start()


def ask():
    from lab import env

    with env() as client:
        with client.serial.stream():
            client.serial.call("set_dtr", False)
            client.serial.call("set_rts", True)
            client.serial.call("set_rts", False)
            client.serial.call("set_dtr", True)
    last = record.read_text().splitlines()[-4:]
    assert last == ["dtr False", "rts True", "rts False", "dtr True"], record.read_text()


serve(int(sys.argv[1])) if len(sys.argv) > 1 else ask()
