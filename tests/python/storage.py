"""Files of the HTTP server through the opendal client: round trips, names, sums."""

import bz2
import gzip
import hashlib
import http.server
import lzma
import os
import threading
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from jumpstarter.client.core import DriverError
from jumpstarter_driver_opendal.client import BytesIOStream
from lab import env, noise, raises, same

SIZES = [0, 1, 65_535, 65_536, 65_537, 3_000_001]
PACK = {"gzip": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}
UNPACK = {"gzip": gzip.decompress, "xz": lzma.decompress, "bz2": bz2.decompress}


def packed(storage, method, fd, stream, encoding):
    """What the client library does for a compressed file."""
    with storage.portal.wrap_async_context_manager(stream) as stream:
        with storage.portal.wrap_async_context_manager(storage.resource_async(stream, encoding)) as handle:
            same(handle["x_jmp_content_encoding"], encoding)
            storage.call(method, fd, handle)


def put(storage, name, content, encoding):
    """Sends what is packed; the exporter unpacks it."""
    file = storage.open(name, "wb")
    packed(storage, "file_write", file.fd, BytesIOStream(buf=BytesIO(content)), encoding)
    file.close()


def get(storage, name, encoding):
    """What the exporter packs."""
    file, result = storage.open(name, "rb"), BytesIO()
    packed(storage, "file_read", file.fd, BytesIOStream(buf=result), encoding)
    file.close()
    return result.getvalue()


def round_trips(storage):
    for size in SIZES:
        data = noise(size, size)
        storage.write_bytes("dir/plain", data)
        same(storage.read_bytes("dir/plain"), data, f"{size} bytes")
        for encoding, pack in PACK.items():
            put(storage, "packed", pack(data), encoding)
            same(storage.read_bytes("packed"), data, f"{size} bytes of {encoding}")
            same(UNPACK[encoding](get(storage, "packed", encoding)), data, f"{size} bytes of {encoding}")
        zstd(storage, "packed")
    for encoding, pack in PACK.items():
        put(storage, "packed", pack(b"first member,") + pack(b"second member"), encoding)
        same(storage.read_bytes("packed"), b"first member,second member", encoding)


def zstd(storage, name):
    """zstd has no module of its own here: what the exporter packs, it unpacks."""
    content = get(storage, name, "zstd")
    same(content[:4], bytes.fromhex("28b52ffd"))
    put(storage, "again", content, "zstd")
    same(storage.hash("again"), storage.hash(name))


def large_and_packed(storage):
    """256 MiB in every compression; mostly zeros, so that it is the exporter that has to do the work."""
    data = b"".join(noise(4096, number) + bytes((1 << 20) - 4096) for number in range(256))
    sum = hashlib.sha256(data).hexdigest()
    fast = {"gzip": lambda data: gzip.compress(data, 1), "xz": lambda data: lzma.compress(data, preset=0)}
    for encoding, pack in (PACK | fast).items():
        put(storage, "large", pack(data), encoding)
        same(storage.hash("large"), sum, encoding)
        same(hashlib.sha256(UNPACK[encoding](get(storage, "large", encoding))).hexdigest(), sum, encoding)
    zstd(storage, "large")


def large(storage):
    """256 MiB from a file and back into one."""
    with TemporaryDirectory() as place:
        block, sum = noise(1 << 20), hashlib.sha256()
        up, down = Path(place) / "up", Path(place) / "down"
        with up.open("wb") as file:
            for number in range(256):
                piece = number.to_bytes(8, "big") + block[8:]
                file.write(piece)
                sum.update(piece)
        storage.write_from_path("large", up)
        same(storage.hash("large"), sum.hexdigest())
        same(storage.stat("large").content_length, 256 << 20)
        storage.read_into_path("large", down)
        same(hashlib.sha256(down.read_bytes()).hexdigest(), sum.hexdigest())
        storage.delete("large")


def positions(storage):
    storage.write_bytes("letters", b"abcdefgh")
    file = storage.open("letters", "rb")
    same((file.tell(), file.seek(3), file.tell(), file.seek(-2, 1), file.seek(-1, 2)), (0, 3, 3, 1, 7))
    same((file.read_bytes(), file.tell()), (b"h", 8))
    same((file.readable(), file.writable(), file.seekable(), file.closed), (True, False, True, False))
    file.close()
    same(file.closed, True)
    file.close()
    raises(DriverError, file.read_bytes, "the file is closed")


def names(storage):
    storage.write_bytes("a/b/one", b"1")
    storage.copy("a/b/one", "a/two")
    storage.rename("a/two", "a/three")
    same(list(storage.list("a/")), ["a/", "a/b/", "a/three"])
    same(list(storage.scan("a/")), ["a/", "a/b/", "a/b/one", "a/three"])
    same((storage.exists("a/three"), storage.exists("a/two")), (True, False))
    same(storage.stat("a").mode.entry_is_dir, True)
    storage.create_dir("a/empty/")
    storage.delete("a/empty/")
    storage.delete("a/never/there")
    same(storage.hash("a/three", "md5"), hashlib.md5(b"1").hexdigest())
    storage.remove_all("a/")
    same(storage.exists("a/three"), False)
    assert "a/b/one" in storage.get_created_resources()
    can = storage.capability()
    same((can.read, can.write, can.presign_read), (True, True, False))


def half_an_upload(storage):
    """Nothing is there under its name before the file is closed."""
    storage.write_bytes("image", b"old")
    file = storage.open("image", "wb")
    file.write_bytes(b"new, and longer")
    same(storage.read_bytes("image"), b"old")
    file.close()
    same(storage.read_bytes("image"), b"new, and longer")


def by_request(storage):
    """The exporter fetches a URL, follows redirects, and keeps secrets from other origins."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, body))
            self.send_response(200 if self.path == "/there" else 403)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self):
            seen.append((self.path, self.headers.get("authorization")))
            status = {"/moved": 302, "/a%20b?sig=%40": 200}.get(self.path, 404)
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/a%20b?sig=%40")
            body = b"fetched" if status == 200 else b""
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    storage.write_from_path("fetched", f"{base}/moved")
    same(storage.read_bytes("fetched"), b"fetched")
    same([path for path, _ in seen], ["/moved", "/a%20b?sig=%40"])
    text = raises(DriverError, lambda: storage.write_from_path("lost", f"{base}/none?sig=s3cret"), "404")
    assert "s3cret" not in text.split("Caused by")[0]
    same(storage.exists("lost"), False)

    # The other way: the exporter sends a file, from where it was sought to.
    def request(place):
        return {"kind": "presigned_request", "headers": {}, "url": base + place, "method": "PUT"}

    file = storage.open("fetched", "rb")
    storage.call("file_read", str(file.fd), request("/there"))
    same(seen[-1], ("/there", b"fetched"))
    file.seek(3)
    text = raises(DriverError, lambda: storage.call("file_read", str(file.fd), request("/no?sig=s3cret")), "403")
    same((seen[-1], "s3cret" in text), (("/no?sig=s3cret", b"ched"), False))
    file.close()
    server.shutdown()


with env() as client:
    storage = client.storage.http.storage
    for part in [round_trips, positions, names, half_an_upload, by_request, large, large_and_packed]:
        begun = time.monotonic()
        part(storage)
        print(f"{part.__name__}: {time.monotonic() - begun:.2f} s")
assert os.path.isdir(os.environ["LAB"])
