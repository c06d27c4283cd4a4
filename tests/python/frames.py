"""Frames that Jumpstarter's clients do not send: unknown types, pings, resets, data after the end."""

import json
import os
from itertools import count

import grpc
from google.protobuf import json_format, struct_pb2
from jumpstarter_protocol import jumpstarter_pb2, jumpstarter_pb2_grpc, router_pb2, router_pb2_grpc
from lab import env, same

DATA, RESET, PING, END = 0, 3, 6, 7


def value(python):
    return json_format.ParseDict(python, struct_pb2.Value())


with env() as client, grpc.insecure_channel(f"unix:{os.environ['JUMPSTARTER_HOST']}") as channel:
    storage, serial = client.storage.http.storage, client.storage.serial
    router, exporter = router_pb2_grpc.RouterServiceStub(channel), jumpstarter_pb2_grpc.ExporterServiceStub(channel)

    def stream(wish, frames):
        sent = (router_pb2.StreamRequest(frame_type=kind, payload=payload) for kind, payload in frames)
        return router.Stream(sent, metadata=[("request", json.dumps(wish))])

    def call(method, *args):
        args = [value(each) for each in args]
        request = jumpstarter_pb2.DriverCallRequest(uuid=str(storage.uuid), method=method, args=args)
        return json_format.MessageToDict(exporter.DriverCall(request, timeout=30).result)

    def upload(frames):
        """Writes what the frames hold, and gives what is there then."""
        fd = call("open", "framed", "wb")
        answer = stream({"kind": "resource", "uuid": str(storage.uuid)}, frames)
        handle = json.loads(dict(answer.initial_metadata())["resource"])
        call("file_write", fd, handle)
        call("file_close", fd)
        # The exporter has nothing to send, says so, and ends the stream in good order.
        same([frame.frame_type for frame in answer], [END])
        same(answer.code(), grpc.StatusCode.OK)
        return storage.read_bytes("framed")

    strange = [(DATA, b"a"), (42, b"-"), (PING, b"-"), (RESET, b""), (DATA, b""), (-1, b"-"), (DATA, b"b")]
    same(upload([*strange, (END, b"")]), b"ab")
    same(upload([*strange, (END, b"-"), (DATA, b"late"), (END, b""), (PING, b"")]), b"ab")
    same(upload(strange), b"ab")  # the end of the stream is an end as well
    same(upload([]), b"")
    same(upload([(END, b"")] + [(DATA, bytes(60_000))] * 100), b"")

    # A line goes on when its client has no more to say, and ends with the client.
    wish = {"kind": "driver", "uuid": str(serial.uuid), "method": "connect"}
    line = stream(wish, [(42, b"-"), (PING, b"-"), (DATA, b"hello"), (END, b""), (DATA, b"late")])
    same(next(line).payload, b"hello")
    line.cancel()
    # Anything may come for as long as it likes; whoever leaves frees the line.
    line = stream(wish, ((DATA if number % 2 else 99, b"x" * 1000) for number in count()))
    same(next(line).payload[:1], b"x")
    line.cancel()
    with serial.stream() as next_one:
        next_one.send(b"free")
        same(next_one.receive(), b"free")
