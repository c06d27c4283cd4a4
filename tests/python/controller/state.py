"""What the lab's controller knows: exporters, leases, who listens, and what a test wants to go wrong."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field

from jumpstarter_protocol import jumpstarter_pb2

NAMESPACE = "lab"
OFFLINE, AVAILABLE, BEFORE, READY, AFTER = 1, 2, 3, 4, 5
UNSET = 0
# An exporter that was not heard of for so long is offline, seconds.
SILENCE = 60.0
# A new client connection waits in this queue for the exporter.
LISTENER_QUEUE = 8


@dataclass
class Exporter:
    """One exporter resource, made by the administrator."""

    name: str
    labels: dict
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    enabled: bool = True
    registered: bool = False
    devices: list = field(default_factory=list)
    registrations: int = 0
    unregistrations: list = field(default_factory=list)
    status: int = UNSET
    message: str = ""
    # Every status it has reported, with its message and when, seconds.
    history: list = field(default_factory=list)
    last_seen: float = 0.0
    lease: str | None = None

    def online(self):
        return time.monotonic() - self.last_seen < SILENCE

    def can_be_leased(self):
        ready = self.status in (UNSET, AVAILABLE)
        return self.registered and bool(self.devices) and self.online() and ready and not self.lease


@dataclass
class Lease:
    """One lease, from its creation on; it stays known when it has ended."""

    name: str
    client: str
    selector: str
    exporter_name: str
    allow_disabled: bool
    duration: float
    tags: dict = field(default_factory=dict)
    exporter: str | None = None
    created: float = field(default_factory=time.time)
    begun: float | None = None
    ended: float | None = None


class State:
    """Everything, in memory. It outlives a stop and start of the servers, as the cluster does."""

    def __init__(self):
        self.exporters = {}
        self.clients = set()
        self.leases = {}
        self.changed = asyncio.Condition()
        # Of each lease the queue of its listener.
        self.listeners = {}
        # Messages that a test puts into the Status streams, by exporter.
        self.said = {}
        self.refusals = {}
        self.delays = {}
        self.calls = {}
        # Where logs and metrics go; a controller that knows no such places when empty.
        self.telemetry = []
        # What every lease is denied with.
        self.denial = None
        # Grows when all Status or Listen streams have to end.
        self.cut = {"Status": 0, "Listen": 0}

    async def notify(self):
        async with self.changed:
            self.changed.notify_all()

    def matches(self, lease, exporter):
        if lease.exporter_name and lease.exporter_name != exporter.name:
            return False
        if not exporter.enabled and not (lease.exporter_name and lease.allow_disabled):
            return False
        for part in filter(None, re.split(r"\s*,\s*", lease.selector.strip())):
            key, _, value = part.partition("=")
            if exporter.labels.get(key.strip()) != value.strip("= "):
                return False
        return True

    async def assign(self):
        """Gives every waiting lease an exporter that is free, and ends those whose time is over."""
        for lease in self.leases.values():
            if lease.begun and not lease.ended and time.time() > lease.begun + lease.duration:
                self.finish(lease)
            if lease.exporter or lease.ended or self.denial:
                continue
            free = (it for it in self.exporters.values() if it.can_be_leased() and self.matches(lease, it))
            if exporter := next(free, None):
                lease.exporter, lease.begun, exporter.lease = exporter.name, time.time(), lease.name
        await self.notify()

    def finish(self, lease):
        if not lease.ended:
            lease.ended = time.time()
        exporter = self.exporters.get(lease.exporter)
        if exporter and exporter.lease == lease.name:
            exporter.lease = None

    async def end(self, lease):
        self.finish(lease)
        await self.assign()

    def present(self, exporter):
        """What a Status stream of this exporter says now."""
        lease = self.leases.get(exporter.lease) if exporter.lease else None
        if lease is None:
            return jumpstarter_pb2.StatusResponse(leased=False)
        return jumpstarter_pb2.StatusResponse(leased=True, lease_name=lease.name, client_name=lease.client)

    async def tick(self):
        """Looks for silent exporters and for leases whose time is over, for ever."""
        while True:
            await asyncio.sleep(1)
            for exporter in self.exporters.values():
                if exporter.last_seen and not exporter.online() and exporter.status != OFFLINE:
                    exporter.status, exporter.message = OFFLINE, "not heard of"
            await self.assign()
