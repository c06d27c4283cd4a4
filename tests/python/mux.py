"""A storage mux through the clients that Jumpstarter has for one: an image goes on the medium, and comes off again."""

import lzma
import os
from pathlib import Path

from jumpstarter.client.core import DriverError, DriverMethodNotImplemented
from jumpstarter_driver_opendal.client import StorageMuxClient, StorageMuxFlasherClient
from lab import env, raises, same

LAB = Path(os.environ["LAB"])


def orders():
    """What the mux was ordered, and forgets it."""
    file = LAB / "orders"
    text = " ".join(file.read_text().split()) if file.exists() else ""
    file.write_text("")
    return text


with env() as client:
    storage, mux = client.storage, client.storage.children["mux"]
    assert type(storage) is StorageMuxFlasherClient, type(storage)
    assert type(mux) is StorageMuxClient, type(mux)
    for node in (storage, mux):
        node.host()
        node.off()
        node.dut()
        same(orders(), "host off dut")
    image = (LAB / "image").read_bytes()
    storage.flash(str(LAB / "image"))
    same((LAB / "medium").read_bytes()[: len(image)], image, "the medium")
    storage.dump(str(LAB / "dump"))
    same((LAB / "dump").read_bytes(), (LAB / "medium").read_bytes(), "the dump")
    orders()
    # Packed images are unpacked by their content, and a medium is read by the call of a mux as well.
    (LAB / "image.xz").write_bytes(lzma.compress(image))
    storage.write_local_file(str(LAB / "image.xz"))
    same(orders(), "host dut")
    storage.read_local_file(str(LAB / "again"))
    same((LAB / "again").read_bytes()[: len(image)], image, "the second dump")
    # What is not an image is refused with its cause, and what is on the medium.
    before = (LAB / "medium").read_bytes()
    (LAB / "page").write_text("<!DOCTYPE html><html><body>log in first</body></html>" * 2000)
    raises(DriverError, lambda: storage.flash(str(LAB / "page")), "web page", "untouched")
    same((LAB / "medium").read_bytes(), before, "the medium after a refusal")
    # A mux alone writes nothing.
    raises(DriverMethodNotImplemented, lambda: mux.write_local_file(str(LAB / "image")), "via: host")
print("done")
