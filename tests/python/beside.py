"""Nodes that only Python has, through an exporter that is not Python's."""

import sys
import time

from jumpstarter.client.core import DriverError, DriverInvalidArgument
from jumpstarter.common.utils import env

with env() as client:
    relay = client.bay.relay
    if "pid" not in sys.argv:
        assert relay.echo("hello") == "contact 1: hello"
        assert client.lent.echo("again") == "contact 1: again"
        assert relay.count(3) == [0, 1, 2]
        with relay.stream("connect") as stream:
            stream.send(b"bytes")
            assert stream.receive() == b"bytes"
        try:
            relay.call("fail")
            raise SystemExit("no failure")
        except DriverInvalidArgument as error:
            assert "no such contact" in str(error), error
        client.switch.on()
        assert [reading.voltage for reading in client.switch.read()] == [0.0, 5.0]
        client.power.on()
        content = bytes(range(256)) * 1024
        client.files.write_bytes("a", content)
        assert client.files.read_bytes("a") == content
        first = relay.call("pid")
        try:
            relay.call("die")
            raise SystemExit("it lived")
        except DriverError as error:
            assert "Python, which runs the driver of this node" in str(error), error
        for _ in range(120):
            try:
                assert relay.echo("back") == "contact 1: back"
                break
            except DriverError as error:
                assert "Python, which runs the driver of this node" in str(error), error
                time.sleep(0.5)
        else:
            raise SystemExit("it was not started again")
        assert relay.call("pid") != first
    print("pid", int(relay.call("pid")), flush=True)
