"""Waits for an exporter's first report, with nothing but gRPC. Prints the Unix time when it came."""

import sys
import time

import grpc
from google.protobuf import empty_pb2
from jumpstarter_protocol import jumpstarter_pb2_grpc

deadline = time.monotonic() + 60
print("ready", flush=True)
sys.stdin.readline()
while time.monotonic() < deadline:
    # A channel that was refused once waits before it tries again, so each attempt has one of its own.
    with grpc.insecure_channel(sys.argv[1], options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            jumpstarter_pb2_grpc.ExporterServiceStub(channel).GetReport(empty_pb2.Empty(), timeout=5)
            print(time.time(), flush=True)
            sys.exit()
        except grpc.RpcError:
            time.sleep(0.002)
sys.exit("no report within 60 s")
