"""Many leases under the controller for tests, and figures beside Jumpstarter's own exporter.

`load.py soak FLASHER LEASES KILLS`: leases in a row by Jumpstarter's own client; controller, router and clients are killed at random.
`load.py bench FLASHER LEASES MEGABYTES`: times and memory of our exporter and of Python's, on one controller each, in one run.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jumpstarter.config.client import ClientConfigV1Alpha1

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
EXPORT = """export:
  power: { type: jumpstarter_driver_power.driver.MockPower }
  files: { type: jumpstarter_driver_http.driver.HttpServer, config: { root_dir: ROOT, host: 127.0.0.1, port: 0 } }
"""
FREE = 10  # how soon an exporter has to be free again, seconds
PATIENCE = 120


class Lab:
    """A controller, one exporter and one client."""

    def __init__(self, folder, program):
        self.folder = Path(folder)
        command = [sys.executable, str(HERE), folder]
        self.controller = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.controller.stdout.readline()
        self.do("exporter", name="one", labels={"board": "one"})
        self.do("client", name="me")
        files = self.folder / "files"
        files.mkdir()
        yaml = self.folder / "exporter-one.yaml"
        yaml.write_text(yaml.read_text() + EXPORT.replace("ROOT", str(files)))
        environment = {**os.environ, "TMPDIR": folder, "XDG_STATE_HOME": str(self.folder / "state")}
        log = open(self.folder / "exporter.log", "w")
        self.exporter = subprocess.Popen(program(str(yaml)), stdout=log, stderr=log, env=environment)
        self.client = ClientConfigV1Alpha1.from_file(self.folder / "client-me.yaml")

    def do(self, what, **more):
        self.controller.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.controller.stdin.flush()
        answer = json.loads(self.controller.stdout.readline())
        assert "ok" in answer, answer
        return answer["ok"]

    def one(self):
        return self.do("state")["exporters"]["one"]

    def until_free(self):
        """Waits until the exporter is free; gives how long that took, seconds."""
        begun = time.monotonic()
        while True:
            one = self.one()
            if one["status"] == "Available" and not one["lease"]:
                return time.monotonic() - begun
            assert time.monotonic() < begun + PATIENCE, f"the exporter is stuck: {one['status']} {one['lease']}"
            time.sleep(0.02)

    def process(self):
        """The process that serves clients: of Python's exporter it is a child."""
        children = Path(f"/proc/{self.exporter.pid}/task/{self.exporter.pid}/children").read_text().split()
        return int(children[0]) if children else self.exporter.pid

    def size(self):
        """Open files, threads and resident memory (KiB) of the exporter."""
        place = Path(f"/proc/{self.process()}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        return len(list((place / "fd").iterdir())), int(status["Threads"]), int(status["VmRSS"].split()[0])

    def left(self):
        """What lies in the exporter's folder for temporary files."""
        return sorted(it.name for it in self.folder.iterdir() if it.is_dir() and it.name not in ("files", "state"))

    def stop(self):
        self.exporter.terminate()
        ended = self.exporter.wait(timeout=30)
        self.controller.stdin.close()
        self.controller.wait(timeout=30)
        return ended


def ours(flasher):
    return lambda yaml: [flasher, "--exporter", yaml, "serve", "--controller"]


def pythons(yaml):
    return [str(BIN / "jmp"), "run", "--exporter-config", yaml]


def soak(flasher, leases, kills):
    chosen = random.Random(leases)
    killed = set(chosen.sample(range(leases), min(kills, leases)))
    with tempfile.TemporaryDirectory(prefix="flasher-soak-") as folder:
        lab = Lab(folder, ours(flasher))
        lab.until_free()
        counts, free, begun, first, made = {"done": 0, "cut": 0}, [], time.monotonic(), None, 0
        for number in range(leases):
            kill = chosen.choice(["controller", "router", "client"]) if number in killed else None
            try:
                with lab.client.lease(selector="board=one") as lease, lease.connect() as client:
                    client.power.on()
                    made += 1
                    if kill in ("controller", "router"):
                        lab.do("stop", what=kill)
                        lab.do("start", what=kill)
                    if kill == "client":
                        raise KeyboardInterrupt
                    if kill != "router":
                        client.power.off()
                counts["done"] += 1
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
                assert kill, f"lease {number}: {error!r}"
                counts["cut"] += 1
                for name, it in lab.do("state")["leases"].items():
                    if not it["ended"]:
                        lab.do("end", lease=name)
            free.append(lab.until_free())
            if number == min(99, leases // 2):
                first = lab.size()
            if number % 100 == 99:
                print(f"{number + 1} leases in {time.monotonic() - begun:.0f} s: {counts}, size {lab.size()}", flush=True)
        state = lab.do("state")
        last, open_leases = lab.size(), [it for it in state["leases"].values() if not it["ended"]]
        free.sort()
        print(f"leases {leases}, whole {counts['done']}, cut by a kill {counts['cut']}, begun with a call {made}, stuck {len(open_leases)}")
        print(f"free again after: median {statistics.median(free):.2f} s, p99 {free[int(len(free) * 0.99)]:.2f} s, most {free[-1]:.2f} s")
        print(f"files, threads, KiB: {first} after {min(100, leases // 2 + 1)} leases, {last} at the end")
        print(f"registrations {state['exporters']['one']['registrations']}, streams left in the router {state['router']['open']}")
        print(f"exit code {lab.stop()}, left in its folder {lab.left()}")
        assert not open_leases and free[int(len(free) * 0.99)] < FREE


def figures(program, leases, megabytes):
    with tempfile.TemporaryDirectory(prefix="flasher-bench-") as folder:
        lab = Lab(folder, program)
        lab.until_free()
        ready, calls = [], []
        for _ in range(leases):
            with lab.client.lease(selector="board=one") as lease, lease.connect() as client:
                for _ in range(5):
                    begun = time.perf_counter()
                    client.power.on()
                    calls.append(time.perf_counter() - begun)
            lab.until_free()
        state = lab.do("state")
        one = state["exporters"]["one"]
        reports = [at for (name, _), at in zip(one["history"], one["times"]) if name == "LeaseReady"]
        ready = [at - it["begun"] for at, it in zip(reports, state["leases"].values())]
        memory = lab.size()[2]
        image = lab.folder / "image"
        image.write_bytes(random.Random(1).randbytes(1 << 20) * megabytes)
        with lab.client.lease(selector="board=one") as lease, lease.connect() as client:
            begun = time.perf_counter()
            client.files.storage.write_from_path("image", image)
            seconds = time.perf_counter() - begun
        lab.stop()
        return statistics.median(ready) * 1e3, statistics.median(calls) * 1e3, megabytes / seconds, memory / 1024


def bench(flasher, leases, megabytes):
    rows = {"python": figures(pythons, leases, megabytes), "ours": figures(ours(flasher), leases, megabytes)}
    names = ("lease to LEASE_READY, ms", "a call through the router, ms", "upload, MB/s", f"memory after {leases} leases, MiB")
    print(f"{'':36}{'python':>10}{'ours':>10}{'ratio':>8}")
    for name, python, own in zip(names, rows["python"], rows["ours"]):
        print(f"{name:36}{python:10.2f}{own:10.2f}{own / python:8.2f}")


if __name__ == "__main__":
    what, flasher, first, second = sys.argv[1:5]
    {"soak": soak, "bench": bench}[what](flasher, int(first), int(second))
