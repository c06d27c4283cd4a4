"""Many leases under the controller for tests, and figures beside Jumpstarter's own exporter.

`load.py soak FLASHER LEASES KILLS FLASH_EVERY`: leases in a row, every so many with a flash; controller, router and clients are killed at random.
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
PATIENCE = 120
# Folders of the lab itself.
KEPT = ("files", "state", "client-state", "bundle", "tftp", "http")


class Lab:
    """A controller, one exporter and one client."""

    def __init__(self, folder, program, more=""):
        self.folder = Path(folder)
        command = [sys.executable, str(HERE), folder]
        self.controller = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.controller.stdout.readline()
        self.do("exporter", name="one", labels={"board": "one"})
        self.do("client", name="me")
        files = self.folder / "files"
        files.mkdir()
        yaml = self.folder / "exporter-one.yaml"
        yaml.write_text(yaml.read_text() + EXPORT.replace("ROOT", str(files)) + more)
        environment = {**os.environ, "TMPDIR": folder, "XDG_STATE_HOME": str(self.folder / "state")}
        log = open(self.folder / "exporter.log", "w")
        self.exporter = subprocess.Popen(program(str(yaml)), stdout=log, stderr=log, env=environment)
        self.client = ClientConfigV1Alpha1.from_file(self.folder / "client-me.yaml")

    def do(self, order, /, **more):
        self.controller.stdin.write(json.dumps({"do": order, **more}) + "\n")
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
        """What lies in the exporter's folder for temporary files; the one for uploads stays, empty."""
        folders = (it for it in self.folder.iterdir() if it.is_dir() and it.name not in KEPT)
        full = (it for it in folders if not it.name.startswith("flasher-uploads-") or any(at.is_dir() for at in it.iterdir()))
        return sorted(it.name for it in full)

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
    what, flasher, *numbers = sys.argv[1:]
    numbers = [int(number) for number in numbers]
    if what == "bench":
        bench(flasher, *numbers)
    else:
        from soak import soak

        soak(flasher, *numbers)
