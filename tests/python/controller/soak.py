"""Many leases under the controller for tests, some of them with a flash, while controller, router and clients are killed.

Leases are Jumpstarter's own client's; flashes are `flasher --lease`. A flash is lost when the ledger of the exporter has no receipt of it or the
medium another image, doubled when there are two receipts.
"""

import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from load import PATIENCE, Lab, ours

ROOT = Path(__file__).parents[3]
FREE = 10  # how soon an exporter has to be free again, seconds
MEDIUM = 8 << 20
IMAGE = 3 << 20
PROBE = 2 << 20  # where it is looked whether an image is being written
BOARD = """  board:
    type: sim-board
    config: { medium: ROOT/medium, size: MEDIUM, bootdelay: 1, tftp_port: PORT, bash: true, faults: { slow: 4MiB } }
  storage:
    type: flasher
    config: { flasher_bundle: ROOT/bundle, power_off_seconds: 0.1 }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { port: PORT, root_dir: ROOT/tftp } }
      http: { type: http, config: { port: 0, root_dir: ROOT/http } }
"""


def board(folder):
    """The YAML of a simulated board, with its bundle and a medium in the folder."""
    folder, chosen = Path(folder), random.Random(7)
    data = folder / "bundle/data"
    data.mkdir(parents=True)
    for name, length in (("kernel", 300_000), ("initramfs", 200_000), ("sim.dtb", 5000)):
        (data / name).write_bytes(chosen.randbytes(length))
    shutil.copy(ROOT / "crates/flasher-bundles/boards/sim.yaml", folder / "bundle/manifest.yaml")
    (folder / "medium").write_bytes(b"\xa5" * MEDIUM)
    # The board's processes are those of an unprivileged user.
    folder.chmod(0o755)
    (folder / "medium").chmod(0o666)
    port = 20_000 + os.getpid() % 20_000
    return BOARD.replace("ROOT", str(folder)).replace("MEDIUM", str(MEDIUM)).replace("PORT", str(port))


class Flashes:
    """Flashes by our own client, each with an image of its own."""

    def __init__(self, flasher, lab):
        self.flasher, self.lab, self.number = flasher, lab, 0
        self.counts = {"proven here": 0, "proven out of sight": 0}

    def image(self):
        chosen = bytearray(random.Random(self.number).randbytes(IMAGE))
        chosen[446:510] = bytes(64)
        chosen[510:512] = b"\x55\xaa"
        return bytes(chosen)

    def receipts(self):
        """The jobs in the exporter's ledger, the newest first."""
        environment = {**os.environ, "XDG_STATE_HOME": str(self.lab.folder / "state")}
        told = subprocess.run([self.flasher, "history", "--json"], env=environment, capture_output=True, check=True)
        return [json.loads(line) for line in told.stdout.splitlines()]

    def run(self, kill):
        """One flash, with a kill once it writes; gives whether its client saw the end."""
        self.number += 1
        image, before = self.image(), len(self.receipts())
        file = self.lab.folder / "image"
        file.write_bytes(image)
        client = ["--client", str(self.lab.folder / "client-me.yaml"), "--lease", "board=one"]
        words = [self.flasher, *client, "flash", str(file), "--no-ledger", "--retries", "0"]
        environment = {**os.environ, "XDG_STATE_HOME": str(self.lab.folder / "client-state")}
        log = open(self.lab.folder / "client.log", "w")
        flash = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        if kill:
            self.until_writing(image, flash)
            if kill == "client":
                flash.kill()
            else:
                self.lab.do("stop", what=kill)
                self.lab.do("start", what=kill)
        code = flash.wait(timeout=PATIENCE)
        assert code == 0 or kill in ("client", "router"), (code, kill, (self.lab.folder / "client.log").read_text())
        if kill == "client":
            end_leases(self.lab)
        self.settle(image, before)
        self.counts["proven here" if code == 0 else "proven out of sight"] += 1

    def until_writing(self, image, flash):
        begun = time.monotonic()
        # Without a buffer, which would show what was there before.
        with open(self.lab.folder / "medium", "rb", buffering=0) as medium:
            while flash.poll() is None:
                medium.seek(PROBE)
                if medium.read(64) == image[PROBE : PROBE + 64]:
                    return
                assert time.monotonic() < begun + PATIENCE, "the flash does not write"
                time.sleep(0.01)
        raise AssertionError("the flash ended before it was seen to write")

    def settle(self, image, before):
        """Waits for the receipt, and holds it and the medium to the image."""
        begun = time.monotonic()
        while len(jobs := self.receipts()) == before:
            assert time.monotonic() < begun + PATIENCE, "a flash was lost"
            time.sleep(0.05)
        assert len(jobs) == before + 1, f"{len(jobs) - before} receipts of one flash"
        newest = max(jobs, key=lambda job: job["id"])
        digest = hashlib.sha256(image).hexdigest()
        assert newest["verdict"] == "proven" and newest["image"] == digest, newest
        with open(self.lab.folder / "medium", "rb") as medium:
            assert medium.read(IMAGE) == image, "the medium has another image"


def end_leases(lab):
    for name, lease in lab.do("state")["leases"].items():
        if not lease["ended"]:
            lab.do("end", lease=name)


def call(lab, kill):
    """One lease with calls by Jumpstarter's own client, and a kill between them; gives whether it was whole."""
    try:
        with lab.client.lease(selector="board=one") as lease, lease.connect() as client:
            client.power.on()
            if kill in ("controller", "router"):
                lab.do("stop", what=kill)
                lab.do("start", what=kill)
            if kill == "client":
                raise KeyboardInterrupt
            if kill != "router":
                client.power.off()
        return True
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        assert kill, repr(error)
        return False
    finally:
        if kill:
            # This client gives its lease back with one try, which the kill may have cost.
            end_leases(lab)


def soak(flasher, leases, kills, flash_every):
    chosen = random.Random(leases)
    killed = set(chosen.sample(range(leases), min(kills, leases)))
    with tempfile.TemporaryDirectory(prefix="flasher-soak-") as folder:
        lab = Lab(folder, ours(flasher), board(folder))
        lab.until_free()
        flashes, whole, cut, free, first = Flashes(flasher, lab), 0, 0, [], None
        begun = time.monotonic()
        for number in range(leases):
            kill = chosen.choice(["controller", "router", "client"]) if number in killed else None
            if flash_every and number % flash_every == flash_every - 1:
                flashes.run(kill)
            elif call(lab, kill):
                whole += 1
            else:
                cut += 1
            free.append(lab.until_free())
            if number == min(99, leases // 2):
                first = lab.size()
            if number % 100 == 99:
                print(f"{number + 1} leases in {time.monotonic() - begun:.0f} s, size {lab.size()}", flush=True)
        report(lab, leases, (whole, cut, flashes), sorted(free), first)


def report(lab, leases, counts, free, first):
    whole, cut, flashes = counts
    state = lab.do("state")
    last, open_leases = lab.size(), [it for it in state["leases"].values() if not it["ended"]]
    p99 = free[int(len(free) * 0.99)]
    print(f"leases {leases}: whole {whole}, cut by a kill {cut}, flashes {flashes.number}; stuck {len(open_leases)}")
    print(f"flashes: {flashes.counts}, lost 0, doubled 0, receipts {len(flashes.receipts())}")
    print(f"free again after: median {statistics.median(free):.2f} s, p99 {p99:.2f} s, most {free[-1]:.2f} s")
    print(f"files, threads, KiB: {first} early, {last} at the end")
    print(f"registrations {state['exporters']['one']['registrations']}, streams left in the router {state['router']['open']}")
    print(f"exit code {lab.stop()}, left in its folder {lab.left()}")
    assert not open_leases and p99 < FREE
