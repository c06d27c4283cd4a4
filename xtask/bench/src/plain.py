"""The plain way to write an image to the emulated board: boot a small Linux over TFTP, pipe `wget` into `dd`, look at nothing.

Runs inside `flasher sandbox`: BUNDLE IMAGE DISK LENGTH. Prints one JSON object with seconds. DISK is written; LENGTH is
the number of bytes that `dd` must say it wrote, whole blocks of 64 KiB: a run that wrote less is no figure.
"""

import time

BEGUN = time.monotonic()

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

HOST, BOARD, PORT = "10.77.0.1", "10.77.0.50", "8000"
BIOS = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
PATIENCE = 120  # seconds one answer of the board may take
DEADLINE = 300  # seconds for everything
BLOCK = 64 * 1024  # bytes; the image is whole blocks
NOISE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]|\r")


class Console:
    """The board's serial line."""

    def __init__(self, connection):
        self.connection, self.unread = connection, b""

    def send(self, line):
        self.connection.sendall(line.encode() + b"\n")

    def wait(self, pattern):
        """Reads up to `pattern`; gives what came before it and the match."""
        until = time.monotonic() + PATIENCE
        while True:
            text = NOISE.sub(b"", self.unread)
            found = re.search(pattern, text)
            if found:
                self.unread = text[found.end() :]
                return text[: found.start()], found
            self.connection.settimeout(max(0.01, until - time.monotonic()))
            try:
                more = self.connection.recv(65536)
            except TimeoutError:
                more = b""
            if not more:
                sys.exit(f"no {pattern} from the board; its last words: {text[-400:]!r}")
            self.unread += more

    def run(self, line, prompt):
        self.send(line)
        return self.wait(prompt)[0]


def manifest(bundle):
    """Boot command and files with their addresses. The bundle is this project's own, so a glance at its lines will do."""
    with open(os.path.join(bundle, "manifest.yaml")) as file:
        text = file.read()
    folded = re.search(r"^  bootcmd: >-\n((?:    .*\n)+)", text, re.M).group(1)
    part = r'^  %s:\n    file: (\S+)\n    address: "(\S+)"'
    files = [re.search(part % name, text, re.M).groups() for name in ("kernel", "initram")]
    return " ".join(folded.split()), files


def network():
    for line in (
        "ip tuntap add dev qtap0 mode tap",
        f"ip addr add {HOST}/24 dev qtap0",
        "ip link set qtap0 up",
    ):
        subprocess.run(line.split(), check=True, timeout=PATIENCE)


def servers(bundle, images):
    """TFTP and HTTP."""
    tftp = ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--port=0", "--user=root", "--pid-file"]
    tftp += ["--interface=qtap0", "--bind-interfaces", "--enable-tftp", f"--tftp-root={bundle}"]
    http = [sys.executable, "-m", "http.server", "--bind", HOST, "--directory", images, PORT]
    return [tftp, http]


def qemu(disk, serial):
    """As the driver of the emulated board starts it, without the monitor."""
    return [
        *("qemu-system-aarch64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", "virt", "-cpu", "cortex-a57", "-smp", "1", "-m", "1024", "-bios", BIOS),
        "-drive",
        f"if=none,id=d0,format=raw,file={disk},cache=unsafe,discard=unmap,werror=report,rerror=report",
        *("-device", "virtio-blk-pci,drive=d0"),
        *("-netdev", "tap,id=n0,ifname=qtap0,script=no,downscript=no"),
        *("-device", "virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56,romfile="),
        *("-chardev", f"socket,id=serial,server=off,path={serial}", "-serial", "chardev:serial"),
    ]


def listening():
    """Until the file server answers; a plain script would have started it long before."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            return socket.create_connection((HOST, int(PORT)), 1).close()
        except OSError:
            time.sleep(0.02)
    sys.exit("the file server does not answer")


def flash(console, bundle, image, length, done):
    """Power is on. `done` notes the time of each part's end."""
    boot, files = manifest(bundle)
    console.wait(rb"Hit any key to stop autoboot")
    console.run("", rb"=> $")
    done("prompt")
    console.run(f"setenv ipaddr {BOARD}", rb"=> $")
    console.run(f"setenv serverip {HOST}", rb"=> $")
    for file, address in files:
        said = console.run(f"tftpboot {address} {file}", rb"=> $")
        if b"Bytes transferred" not in said:
            sys.exit(f"no {file} over TFTP: {said[-400:]!r}")
    done("tftp")
    console.run("setenv initram_size ${filesize}", rb"=> $")
    console.send(boot)
    console.wait(rb"login: *$")
    console.run("root", rb"# *$")
    done("login")
    listening()
    console.run(f"ip link set eth0 up; ip addr add {BOARD}/24 dev eth0", rb"# *$")
    source = f"wget -q -O - http://{HOST}:{PORT}/{os.path.basename(image)}"
    unpack = " | xzcat" if image.endswith(".xz") else ""
    # The quotes keep the echo of the line from looking like its answer.
    console.send(f"{source}{unpack} | dd of=/dev/vda bs={BLOCK} iflag=fullblock; sync; echo do''ne")
    said, _ = console.wait(rb"done\n")
    if f"{length // BLOCK}+0 records out".encode() not in said:
        sys.exit(f"dd did not write {length} bytes: {said[-400:]!r}")
    done("write")


def main(bundle, image, disk, length):
    marks = [("", BEGUN)]
    processes = []
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        try:
            network()
            processes += [subprocess.Popen(line, **quiet) for line in servers(bundle, os.path.dirname(image))]
            serial = os.path.join(folder, "serial")
            listener.bind(serial)
            listener.listen()
            listener.settimeout(PATIENCE)
            processes.append(subprocess.Popen(qemu(disk, serial), **{**quiet, "stderr": None}))
            connection, _ = listener.accept()
            with connection:
                done = lambda part: marks.append((part, time.monotonic()))
                flash(Console(connection), bundle, image, int(length), done)
        finally:
            for process in processes:
                process.kill()
                process.wait(PATIENCE)
    seconds = {part: at - before for (_, before), (part, at) in zip(marks, marks[1:])}
    print(json.dumps({**seconds, "total": time.monotonic() - BEGUN}))


def ended(signal, _):
    sys.exit(f"ended by signal {signal}")


signal.signal(signal.SIGTERM, ended)
signal.signal(signal.SIGALRM, ended)
signal.alarm(DEADLINE)
main(*sys.argv[1:])
