"""Errors of the exporter, and the exceptions that become of them."""

import uuid

from anyio import BrokenResourceError
from jumpstarter.client.core import DriverError, DriverInvalidArgument, DriverMethodNotImplemented
from lab import env, raises, same

with env() as client:
    flasher = client.storage
    storage, power, serial, http = flasher.http.storage, flasher.power, flasher.serial, flasher.http

    # Methods that are not there, or of another kind.
    raises(DriverMethodNotImplemented, lambda: power.call("nope"), "method nope not found on driver")
    raises(DriverMethodNotImplemented, lambda: power.call("read"), "missing marker marker_drivercall")
    raises(DriverError, lambda: list(power.streamingcall("on")), "missing marker marker_streamingdrivercall")
    raises(DriverMethodNotImplemented, lambda: power.call("rescue"))
    raises(DriverMethodNotImplemented, lambda: serial.call("set_dtr", True))
    assert isinstance(DriverMethodNotImplemented("x"), NotImplementedError)
    own = power.uuid
    for unknown in [uuid.uuid4(), "no uuid"]:
        power.uuid = unknown
        raises(DriverMethodNotImplemented, lambda: power.call("on"), "no driver has the UUID")
    power.uuid = own

    # Arguments that make no sense.
    for args in [(), (1,), (None,), ("x" * 100_000,), (["x"],), ({"a": 1},), ("a", "b")]:
        raises(DriverInvalidArgument, lambda: storage.call("stat", *args))
    for mode in ["rw", "", 2, None]:
        raises(DriverInvalidArgument, lambda: storage.call("open", "a", mode))
    fd = storage.call("open", "a", "wb")
    for position in [1.5, float("nan"), 1e300, "1", True]:
        raises(DriverInvalidArgument, lambda: storage.call("file_seek", fd, position))
    raises(DriverInvalidArgument, lambda: storage.call("file_seek", fd, -1))
    raises(DriverInvalidArgument, lambda: storage.call("file_seek", fd, 0, 3), "`whence` is 0, 1 or 2")
    for handle in [None, 1, {}, {"kind": "x"}, {"kind": "client_stream"}, {"kind": "client_stream", "uuid": own.hex}]:
        raises(DriverInvalidArgument, lambda: storage.call("file_write", fd, handle))
    raises(DriverInvalidArgument, lambda: storage.call("file_tell", str(uuid.uuid4())), "no file is open")

    # Files that are not there, and files that are none of a client's business.
    storage.write_bytes("a", b"a")
    raises(DriverError, lambda: storage.read_bytes("missing"), "missing")
    raises(DriverError, lambda: storage.stat("missing"), "missing")
    for outside in ["../secret", "/../secret", "a/../../secret"]:
        raises(DriverInvalidArgument, lambda: storage.read_bytes(outside), "leads out")
        raises(DriverInvalidArgument, lambda: storage.write_bytes(outside, b"x"), "leads out")
        raises(DriverInvalidArgument, lambda: storage.stat(outside), "leads out")
        raises(DriverInvalidArgument, lambda: storage.rename("a", outside))

    # A flasher that has no such thing.
    raises(DriverInvalidArgument, lambda: flasher.call("use_dtb_variant", "nope"), "nope")
    raises(DriverInvalidArgument, lambda: flasher.call("setup_flasher_bundle", "/etc"), "no bundle reference")
    raises(DriverInvalidArgument, lambda: flasher.call("setup_flasher_bundle", "../bundle"))
    same((flasher.call("get_cacert"), flasher.call("get_default_target")), (None, None))

    # Servers and their addresses.
    same(http.get_port(), 0)
    assert http.get_url().startswith("http://") and http.get_url().endswith(":0"), http.get_url()
    http.start()
    port = http.get_port()
    assert port > 0 and http.get_url() == f"http://127.0.0.1:{port}", http.get_url()
    http.start()
    http.stop()
    http.stop()
    same(http.get_port(), 0)

    # One serial stream at a time, and the next one as soon as the first has ended.
    with serial.stream() as first:
        first.send(b"first")
        same(first.receive(), b"first")
        with env() as other:
            with other.storage.serial.stream() as second:
                # The client says only that the stream broke; why is in the error underneath.
                raises(BrokenResourceError, second.receive)
            raises(DriverError, lambda: other.storage.serial.call("close"), "in use by a serial stream")
    for round in range(20):
        with serial.stream() as again:
            again.send(b"again %d" % round)
            same(again.receive(), b"again %d" % round)
