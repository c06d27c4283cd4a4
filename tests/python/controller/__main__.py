"""A controller and a router for tests, in memory, with TLS and tokens.

`python tests/python/controller FOLDER` writes `ca.pem`, `exporter-NAME.yaml` heads and `client-NAME.yaml` into FOLDER,
prints one line of JSON with its addresses, and then takes commands, one line of JSON each, and answers each with one.
"""

import asyncio
import base64
import json
import sys
from dataclasses import asdict
from pathlib import Path

import grpc
from identity import Authority, token
from jumpstarter_protocol import client_pb2_grpc, jumpstarter_pb2, jumpstarter_pb2_grpc, router_pb2_grpc
from router import Router
from services import NAMES, Clients, Controller, endpoints
from state import NAMESPACE, Exporter, Lease, State


class Lab:
    """Both servers, and what a test may do to them."""

    def __init__(self, folder):
        self.folder, self.authority, self.state = Path(folder), Authority(), State()
        self.authorities = []
        self.router = Router(self.state)
        self.ports = {"controller": 0, "router": 0}
        self.servers = {}

    async def start(self, what):
        server = grpc.aio.server()
        if what == "router":
            router_pb2_grpc.add_RouterServiceServicer_to_server(self.router, server)
        else:
            place = f"localhost:{self.ports['router']}"
            jumpstarter_pb2_grpc.add_ControllerServiceServicer_to_server(Controller(self.state, place), server)
            client_pb2_grpc.add_ClientServiceServicer_to_server(Clients(self.state, place), server)

            async def answer(_, context):
                return await endpoints(self.state, context)

            later = grpc.unary_unary_rpc_method_handler(answer)
            name = "jumpstarter.v1.ControllerService"
            handlers = {"GetServiceEndpoints": later}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        for _ in range(100):
            try:
                port = server.add_secure_port(f"127.0.0.1:{self.ports[what]}", self.authority.server())
                break
            except RuntimeError:
                await asyncio.sleep(0.1)  # the port is not free yet
        self.ports[what] = port
        await server.start()
        self.servers[what] = server

    async def stop(self, what):
        if server := self.servers.pop(what, None):
            await server.stop(0)

    def exporter(self, name, labels):
        """Makes an exporter resource, and the head of its YAML."""
        exporter = self.state.exporters.setdefault(name, Exporter(name, labels))
        head = self.head("ExporterConfig", name) | {"token": token("Exporter", NAMESPACE, name, exporter.uid)}
        (self.folder / f"exporter-{name}.yaml").write_text(flat(head))

    def client(self, name):
        self.state.clients.add(name)
        head = self.head("ClientConfig", name) | {"token": token("Client", NAMESPACE, name, name)}
        head["drivers"] = {"allow": [], "unsafe": True}
        (self.folder / f"client-{name}.yaml").write_text(flat(head))

    def head(self, kind, name):
        ca = base64.b64encode(self.authority.pem()).decode()
        return {
            "apiVersion": "jumpstarter.dev/v1alpha1",
            "kind": kind,
            "metadata": {"namespace": NAMESPACE, "name": name},
            "endpoint": f"localhost:{self.ports['controller']}",
            "tls": {"ca": ca, "insecure": False},
        }

    async def obey(self, command):
        what = command.pop("do")
        return await getattr(self, f"do_{what}")(**command)

    async def do_exporter(self, name, labels=None, enabled=True):
        self.exporter(name, labels or {})
        self.state.exporters[name].enabled = enabled
        await self.state.assign()

    async def do_client(self, name):
        self.client(name)

    async def do_forget(self, name):
        del self.state.exporters[name]

    async def do_stop(self, what):
        await self.stop(what)

    async def do_start(self, what):
        await self.start(what)

    async def do_new_authority(self, days=0):
        """From the next start on, every certificate is of another authority, whose clock is so many days off."""
        self.authorities.append(self.authority)
        self.authority = Authority(days)

    async def do_old_authority(self):
        """From the next start on, every certificate is of the authority before."""
        self.authority = self.authorities.pop()

    async def do_telemetry(self, endpoints):
        self.state.telemetry = endpoints

    async def do_refuse(self, rpc, code, text="", times=-1):
        self.state.refusals[rpc] = {"code": code, "text": text, "times": times}

    async def do_delay(self, rpc, seconds):
        self.state.delays[rpc] = seconds

    async def do_say(self, exporter, leased, lease=None, client=None):
        """Puts a message into an exporter's Status stream, true or not."""
        message = jumpstarter_pb2.StatusResponse(leased=leased, lease_name=lease, client_name=client)
        self.state.said.setdefault(exporter, []).append(message)
        await self.state.notify()

    async def do_say_much(self, exporter, bytes):
        await self.do_say(exporter, True, "x" * bytes, "nobody")

    async def do_deny(self, reason, message):
        """From now on no lease can be had, until the reason is none."""
        self.state.denial = {"reason": reason, "message": message} if reason else None
        await self.state.assign()

    async def do_cut(self, stream):
        self.state.cut[stream] += 1
        await self.state.notify()

    async def do_end(self, lease):
        await self.state.end(self.state.leases[lease])

    async def do_lease(self, name, client, exporter):
        """A lease as the administrator makes it; no client waits for it."""
        self.state.leases[name] = Lease(name, client, "", exporter, False, 1800.0)
        await self.state.assign()

    async def do_transfer(self, lease, client):
        self.state.leases[lease].client = client
        await self.state.notify()

    async def do_listen(self, lease, endpoint, token):
        """Sends an exporter a connection that no client asked for."""
        message = jumpstarter_pb2.ListenResponse(router_endpoint=endpoint, router_token=token)
        self.state.listeners[lease].put_nowait(message)

    async def do_router(self):
        return f"localhost:{self.ports['router']}"

    async def do_token(self, kind, name, expires):
        uid = self.state.exporters[name].uid if kind == "Exporter" else name
        return token(kind, NAMESPACE, name, uid, expires)

    async def do_state(self):
        exporters = {
            name: {
                "status": NAMES[it.status],
                "message": it.message,
                "registered": it.registered,
                "registrations": it.registrations,
                "unregistrations": it.unregistrations,
                "online": it.online(),
                "lease": it.lease,
                "devices": len(it.devices),
                "history": [[name, message] for name, message, _ in it.history],
                "times": [at for _, _, at in it.history],
            }
            for name, it in self.state.exporters.items()
        }
        leases = {name: asdict(lease) for name, lease in self.state.leases.items()}
        router = {"pairs": self.router.pairs, "open": self.router.open, "waiting": len(self.router.waiting)}
        return {"exporters": exporters, "leases": leases, "calls": self.state.calls, "router": router}


def flat(head):
    """YAML of one level; what is below is JSON, which YAML reads."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items())


async def main():
    lab = Lab(sys.argv[1])
    await lab.start("router")
    await lab.start("controller")
    lab.authority.write(lab.folder / "ca.pem")
    print(json.dumps(lab.ports), flush=True)
    ticking = asyncio.create_task(lab.state.tick())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            answer = {"ok": await lab.obey(json.loads(line))}
        except Exception as error:  # noqa: BLE001
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    ticking.cancel()
    for what in ("controller", "router"):
        await lab.stop(what)


asyncio.run(main())
