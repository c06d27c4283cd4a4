"""What clients ask besides driver calls: descriptions, status, log, the end of a session."""

import logging
import time

from google.protobuf import empty_pb2
from jumpstarter.common import ExporterStatus
from lab import env, same


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def until_logged(client, kept):
    """Does something until its record has come: the subscription takes a moment."""
    deadline = time.monotonic() + 30
    while not any("power on" in text for text in kept.texts):
        assert time.monotonic() < deadline, f"no record of `power on` in {kept.texts}"
        client.power.on()
        time.sleep(0.05)


with env() as client:
    # What the file says of its nodes is the help of `j`; a reference says what its target says.
    same((client.description, client.power.description), ("a bench", "the rail"))
    same(dict(client.power.methods_description), {"on": "switches the rail on"})
    same((client.group.switch.uuid, client.group.switch.description), (client.power.uuid, "the rail"))
    same((client.serial.description, client.group.description), (None, None))
    report = client.portal.call(client.stub.GetReport, empty_pb2.Empty())
    same(dict(report.labels), {"jumpstarter.dev/name": "lab"})
    # This client does not know the field yet, and keeps it as it came.
    assert b"hello" in report.SerializeToString()

    same(client.portal.call(client.get_status_async), ExporterStatus.LEASE_READY)
    client.portal.call(client.check_exporter_status)
    client.portal.call(client.wait_for_lease_ready)

    # Everybody who listens hears everything.
    with env() as other:
        heard = {"exporter:driver": Kept()}
        logging.getLogger("exporter:driver").addHandler(heard["exporter:driver"])
        logging.getLogger("exporter:driver").setLevel(logging.INFO)
        with client.log_stream(), other.log_stream():
            until_logged(client, heard["exporter:driver"])
            begun = len(heard["exporter:driver"].texts)
            client.power.off()
            deadline = time.monotonic() + 30
            while heard["exporter:driver"].texts[begun:].count("power off") < 2:
                assert time.monotonic() < deadline, f"not both heard `power off`: {heard['exporter:driver'].texts}"
                time.sleep(0.05)

    # There is no lease to end, and the session goes on.
    same(client.portal.call(client.end_session_async), False)
    client.power.on()
