"""Measures an exporter from an unmodified client: the one in the environment. Prints one JSON object.

EXPORTER_PID names the exporter's first process; those it started count as well.
"""

import hashlib
import json
import os
import shutil
import statistics
import struct
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from jumpstarter.utils.env import env

CALLS = 3000
BYTES = 256 << 20
TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [each for child in children for each in family(int(child))]


def cpu():
    """Seconds of the exporter's processes so far."""
    total = 0
    for pid in family(int(os.environ["EXPORTER_PID"])):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def pss():
    """MiB of the exporter's processes, shared pages by their share."""
    total = 0
    for pid in family(int(os.environ["EXPORTER_PID"])):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def timed(work):
    """Seconds on the clock, of the exporter's processors, and of this client's own."""
    begun, used, own = time.perf_counter(), cpu(), time.process_time()
    work()
    return time.perf_counter() - begun, cpu() - used, time.process_time() - own


def load(uuid, place, clients):
    """The rate and the 99th percentile of calls from h2load, which costs little beside an exporter; nothing without it."""
    if not shutil.which("h2load"):
        return {}
    from jumpstarter_protocol import jumpstarter_pb2

    request = jumpstarter_pb2.DriverCallRequest(uuid=str(uuid), method="on").SerializeToString()
    body, log = Path(place) / "call", Path(place) / "log"
    body.write_bytes(b"\0" + struct.pack(">I", len(request)) + request)
    log.unlink(missing_ok=True)
    url = f"http://{os.environ['JUMPSTARTER_HOST']}/jumpstarter.v1.ExporterService/DriverCall"
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    many = ["-n", str(CALLS * clients), "-c", str(clients), "-m", "1", "-t", "1"]
    begun, used = time.perf_counter(), cpu()
    subprocess.run(["h2load", *many, *headers, "-d", body, "--log-file", log, url], check=True, capture_output=True)
    wall, used = time.perf_counter() - begun, cpu() - used
    calls = [line.split("\t") for line in log.read_text().splitlines()]
    assert len(calls) == CALLS * clients and all(status == "200" for _, status, _ in calls)
    took = sorted(int(microseconds) / 1e3 for _, _, microseconds in calls)
    name = f"load{clients}"
    return {
        f"{name}_per_s": len(took) / wall,
        f"{name}_p99_ms": took[len(took) * 99 // 100],
        f"{name}_cpu_ms": used / len(took) * 1e3,
    }


with env() as client, TemporaryDirectory() as place:
    found = {"pss_mib": pss()}
    power, storage = client.storage.power, client.storage.http.storage
    for _ in range(200):
        power.on()
    took = []

    def calls():
        for _ in range(CALLS):
            begun = time.perf_counter()
            power.on()
            took.append(time.perf_counter() - begun)

    wall, used, own = timed(calls)
    found |= {
        "calls_per_s": CALLS / wall,
        "p50_ms": statistics.median(took) * 1e3,
        "p99_ms": statistics.quantiles(took, n=100)[98] * 1e3,
        "cpu_ms_per_call": used / CALLS * 1e3,
        "client_ms_per_call": own / CALLS * 1e3,
    }
    found |= load(power.uuid, place, 1) | load(power.uuid, place, 8)
    up, down = Path(place) / "up", Path(place) / "down"
    block = os.urandom(1 << 20)
    up.write_bytes(block * (BYTES >> 20))
    wall, used, own = timed(lambda: storage.write_from_path("large", up))
    found |= {"upload_mib_per_s": BYTES / wall / (1 << 20), "upload_cpu_s_per_gb": used / BYTES * 1e9}
    found["upload_client_s_per_gb"] = own / BYTES * 1e9
    wall, used, own = timed(lambda: storage.read_into_path("large", down))
    found |= {"download_mib_per_s": BYTES / wall / (1 << 20), "download_cpu_s_per_gb": used / BYTES * 1e9}
    found["download_client_s_per_gb"] = own / BYTES * 1e9
    assert hashlib.sha256(down.read_bytes()).digest() == hashlib.sha256(up.read_bytes()).digest()
    storage.delete("large")
    found["pss_after_mib"] = pss()
print(json.dumps(found))
