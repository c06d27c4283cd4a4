"""The controller's services, as exporters and clients call them."""

import asyncio
import time
import uuid

import grpc
from google.protobuf import empty_pb2
from identity import caller, router_token
from jumpstarter_protocol import client_pb2, client_pb2_grpc, jumpstarter_pb2, jumpstarter_pb2_grpc, kubernetes_pb2
from state import AFTER, AVAILABLE, BEFORE, LISTENER_QUEUE, NAMESPACE, OFFLINE, READY, UNSET, Lease

HEARTBEAT = 10
DIAL_PATIENCE = 30
NAMES = {0: "Unspecified", 1: "Offline", 2: "Available", 3: "BeforeLeaseHook", 4: "LeaseReady", 5: "AfterLeaseHook"}
NAMES |= {6: "BeforeLeaseHookFailed", 7: "AfterLeaseHookFailed"}


class Common:
    """What both services need."""

    def __init__(self, state, router_endpoint):
        self.state = state
        self.router_endpoint = router_endpoint

    async def prelude(self, rpc, context):
        """Counts a call, and does what a test wants done to it."""
        self.state.calls[rpc] = self.state.calls.get(rpc, 0) + 1
        if seconds := self.state.delays.get(rpc):
            await asyncio.sleep(seconds)
        refusal = self.state.refusals.get(rpc)
        if refusal and refusal["times"] != 0:
            refusal["times"] -= 1
            await context.abort(grpc.StatusCode[refusal["code"]], refusal["text"])

    async def exporter(self, context):
        known = self.state.exporters
        uid = lambda space, name: known[name].uid if space == NAMESPACE and name in known else None  # noqa: E731
        return known[await caller(context, "Exporter", uid)]

    async def client(self, context):
        uid = lambda space, name: name if space == NAMESPACE and name in self.state.clients else None  # noqa: E731
        return await caller(context, "Client", uid)

    async def lease(self, name, context):
        if name not in self.state.leases:
            await context.abort(grpc.StatusCode.NOT_FOUND, f'leases.jumpstarter.dev "{name}" not found')
        return self.state.leases[name]


class Controller(Common, jumpstarter_pb2_grpc.ControllerServiceServicer):
    """ControllerService: what exporters call, and Dial."""

    async def Register(self, request, context):
        await self.prelude("Register", context)
        exporter = await self.exporter(context)
        exporter.devices = [(it.uuid, it.parent_uuid, dict(it.labels)) for it in request.reports]
        exporter.registered = bool(exporter.devices)
        exporter.registrations += 1
        await self.state.assign()
        return jumpstarter_pb2.RegisterResponse(uuid=exporter.uid)

    async def Unregister(self, request, context):
        await self.prelude("Unregister", context)
        exporter = await self.exporter(context)
        exporter.devices, exporter.registered, exporter.status = [], False, OFFLINE
        exporter.unregistrations.append(request.reason)
        await self.state.notify()
        return jumpstarter_pb2.UnregisterResponse()

    async def ReportStatus(self, request, context):
        await self.prelude("ReportStatus", context)
        exporter = await self.exporter(context)
        exporter.status, exporter.message, exporter.last_seen = request.status, request.message, time.monotonic()
        exporter.history.append((NAMES[request.status], request.message, time.time()))
        if request.release_lease and exporter.lease:
            self.state.finish(self.state.leases[exporter.lease])
        await self.state.assign()
        return jumpstarter_pb2.ReportStatusResponse()

    async def ReleaseLease(self, request, context):
        await self.prelude("ReleaseLease", context)
        kinds = [value for key, value in context.invocation_metadata() if key == "jumpstarter-kind"]
        lease = None
        if kinds == ["Client"]:
            client, lease = await self.client(context), await self.lease(request.name, context)
            held = lease.client == client
        else:
            exporter, lease = await self.exporter(context), await self.lease(request.name, context)
            held = lease.exporter == exporter.name
        if not held:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the lease is not held by this exporter")
        await self.state.end(lease)
        return jumpstarter_pb2.ReleaseLeaseResponse()

    async def Status(self, request, context):
        await self.prelude("Status", context)
        exporter = await self.exporter(context)
        if exporter.status == OFFLINE:
            exporter.status = UNSET
        last, cut = None, self.state.cut["Status"]
        said = self.state.said.setdefault(exporter.name, [])
        while True:
            exporter.last_seen = time.monotonic()
            await self.state.assign()
            while said:
                yield said.pop(0)
            if (now := self.state.present(exporter)) != last:
                yield now
                last = now
            if cut != self.state.cut["Status"]:
                await context.abort(grpc.StatusCode.UNKNOWN, "watch channel closed")
            async with self.state.changed:
                # Between the look above and here nothing else has run, so no change is missed.
                if said or self.state.present(exporter) != last or cut != self.state.cut["Status"]:
                    continue
                try:
                    await asyncio.wait_for(self.state.changed.wait(), HEARTBEAT)
                except TimeoutError:
                    pass

    async def Listen(self, request, context):
        await self.prelude("Listen", context)
        exporter = await self.exporter(context)
        if not request.lease_name:
            await context.abort(grpc.StatusCode.UNKNOWN, "empty lease name")
        lease = await self.lease(request.lease_name, context)
        if lease.exporter != exporter.name:
            await context.abort(grpc.StatusCode.UNKNOWN, "permission denied")
        queue = asyncio.Queue(LISTENER_QUEUE)
        if previous := self.state.listeners.get(lease.name):
            previous.put_nowait(None) if not previous.full() else None
        self.state.listeners[lease.name] = queue
        cut = self.state.cut["Listen"]
        try:
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), 0.5)
                except TimeoutError:
                    if cut != self.state.cut["Listen"]:
                        await context.abort(grpc.StatusCode.UNKNOWN, "watch channel closed")
                    continue
                if item is None:
                    return
                yield item
        finally:
            if self.state.listeners.get(lease.name) is queue:
                del self.state.listeners[lease.name]

    async def Dial(self, request, context):
        await self.prelude("Dial", context)
        client, lease = await self.client(context), await self.lease(request.lease_name, context)
        if lease.client != client:
            await context.abort(grpc.StatusCode.UNKNOWN, "permission denied")
        if lease.ended or not lease.exporter:
            await context.abort(grpc.StatusCode.UNKNOWN, "lease not active")
        exporter = self.state.exporters[lease.exporter]
        until, pause = time.monotonic() + DIAL_PATIENCE, 0.5
        while exporter.status == AVAILABLE and time.monotonic() < until:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 3)
        if exporter.status not in (UNSET, BEFORE, READY, AFTER):
            text = f"exporter is not ready (status: {NAMES[exporter.status]})"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        queue = self.state.listeners.get(lease.name)
        if queue is None:
            text = f"exporter is not listening on lease {lease.name}"
            await context.abort(grpc.StatusCode.UNAVAILABLE, text)
        if queue.full():
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the exporter's queue is full")
        token = router_token(str(uuid.uuid4()))
        place = {"router_endpoint": self.router_endpoint, "router_token": token}
        queue.put_nowait(jumpstarter_pb2.ListenResponse(**place))
        return jumpstarter_pb2.DialResponse(**place)


async def endpoints(state, context):
    """GetServiceEndpoints, which the published protocol does not have yet: bytes in, bytes out."""
    state.calls["GetServiceEndpoints"] = state.calls.get("GetServiceEndpoints", 0) + 1
    if not state.telemetry:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method GetServiceEndpoints")
    texts = [it.encode() for it in state.telemetry]
    fields = [b"\x0a" + bytes([len(it)]) + it for it in texts]
    return b"".join(b"\x0a" + bytes([len(it)]) + it for it in fields)


class Clients(Common, client_pb2_grpc.ClientServiceServicer):
    """ClientService: leases and exporters, as `jmp` sees them."""

    async def CreateLease(self, request, context):
        await self.prelude("CreateLease", context)
        client, wanted = await self.client(context), request.lease
        name = request.lease_id or str(uuid.uuid4())
        lease = Lease(
            name=name,
            client=client,
            selector=wanted.selector,
            exporter_name=wanted.exporter_name,
            allow_disabled=wanted.allow_disabled,
            duration=wanted.duration.ToTimedelta().total_seconds(),
            tags=dict(wanted.tags),
        )
        self.state.leases[name] = lease
        await self.state.assign()
        return self.message(lease)

    async def GetLease(self, request, context):
        await self.prelude("GetLease", context)
        await self.client(context)
        return self.message(await self.lease(last(request.name), context))

    async def ListLeases(self, request, context):
        await self.prelude("ListLeases", context)
        await self.client(context)
        active = (it for it in self.state.leases.values() if not it.ended or not request.only_active)
        return client_pb2.ListLeasesResponse(leases=[self.message(it) for it in active])

    async def UpdateLease(self, request, context):
        await self.prelude("UpdateLease", context)
        await self.client(context)
        lease = await self.lease(last(request.lease.name), context)
        if "client" in request.update_mask.paths:
            lease.client = last(request.lease.client)
        if "duration" in request.update_mask.paths:
            lease.duration = request.lease.duration.ToTimedelta().total_seconds()
        await self.state.assign()
        return self.message(lease)

    async def DeleteLease(self, request, context):
        await self.prelude("DeleteLease", context)
        client, lease = await self.client(context), await self.lease(last(request.name), context)
        if lease.client != client:
            await context.abort(grpc.StatusCode.UNKNOWN, "permission denied")
        await self.state.end(lease)
        return empty_pb2.Empty()

    async def GetExporter(self, request, context):
        await self.prelude("GetExporter", context)
        await self.client(context)
        exporter = self.state.exporters.get(last(request.name))
        if exporter is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such exporter")
        return self.exporter_message(exporter)

    async def ListExporters(self, request, context):
        await self.prelude("ListExporters", context)
        await self.client(context)
        found = [self.exporter_message(it) for it in self.state.exporters.values()]
        return client_pb2.ListExportersResponse(exporters=found)

    @staticmethod
    def exporter_message(exporter):
        return client_pb2.Exporter(
            name=f"namespaces/{NAMESPACE}/exporters/{exporter.name}",
            labels=exporter.labels,
            online=exporter.online(),
            status=exporter.status,
            status_message=exporter.message,
            enabled=exporter.enabled,
        )

    def message(self, lease):
        found = client_pb2.Lease(
            name=f"namespaces/{NAMESPACE}/leases/{lease.name}",
            selector=lease.selector,
            client=f"namespaces/{NAMESPACE}/clients/{lease.client}",
            exporter_name=lease.exporter_name,
            tags=lease.tags,
            conditions=conditions(lease, self.state),
        )
        found.duration.FromSeconds(int(lease.duration))
        if lease.exporter:
            found.exporter = f"namespaces/{NAMESPACE}/exporters/{lease.exporter}"
        if lease.begun:
            found.effective_begin_time.FromSeconds(int(lease.begun))
        if lease.ended:
            found.effective_end_time.FromSeconds(int(lease.ended))
        return found


def conditions(lease, state):
    if lease.ended:
        return [kubernetes_pb2.Condition(type="Ready", status="False", reason="Released")]
    if lease.exporter:
        return [kubernetes_pb2.Condition(type="Ready", status="True", reason="Ready")]
    if state.denial:
        return [kubernetes_pb2.Condition(type="Unsatisfiable", status="True", **state.denial)]
    if not any(state.matches(lease, it) for it in state.exporters.values()):
        text = "no exporter fits"
        return [kubernetes_pb2.Condition(type="Unsatisfiable", status="True", reason="NoExporter", message=text)]
    return [kubernetes_pb2.Condition(type="Pending", status="True", reason="NotAvailable", message="no exporter is free")]


def last(name):
    return name.rsplit("/", 1)[-1]
