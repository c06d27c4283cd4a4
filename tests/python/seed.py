"""The cases of the field's own suite for a flasher, through its own client; two more are about starting up."""

import os
from pathlib import Path

from jumpstarter.client.core import DriverInvalidArgument
from lab import env, raises, same

bundle = Path(os.environ["LAB"]) / "bundle/data"
cases = 0


def case(work):
    """Runs a case on a flasher with its first variant."""
    global cases
    with env() as client:
        client.storage.call("use_dtb_variant", "test-dtb")
        work(client.storage)
    cases += 1


@case
def setup(flasher):
    flasher.call("setup_flasher_bundle")
    files = {
        flasher.call("get_kernel_filename"): "kernel",
        flasher.call("get_initram_filename"): "initramfs",
        flasher.call("get_dtb_filename"): "dtbs/test-dtb.dtb",
    }
    same(sorted(files), ["initramfs", "kernel", "test-dtb.dtb"])
    for name, source in files.items():
        same(flasher.tftp.storage.read_bytes(name), (bundle / source).read_bytes(), name)
    same(list(flasher.tftp.storage.list("/")), ["/", "initramfs", "kernel", "test-dtb.dtb"])


@case
def manifest(flasher):
    same(flasher.manifest.spec.kernel.file, "data/kernel")
    same(flasher.call("get_flasher_manifest_yaml"), (bundle.parent / "manifest.yaml").read_text())


@case
def variants(flasher):
    same(flasher.call("get_dtb_filename"), "test-dtb.dtb")
    flasher.call("use_dtb_variant", "alternate")
    same(flasher.call("get_dtb_filename"), "alternate.dtb")
    flasher.call("setup_flasher_bundle")
    same(flasher.tftp.storage.read_bytes("alternate.dtb"), (bundle / "dtbs/alternate.dtb").read_bytes())
    flasher.call("use_dtb_variant", "test-dtb")
    same(flasher.call("get_dtb_filename"), "test-dtb.dtb")
    raises(DriverInvalidArgument, lambda: flasher.call("use_dtb_variant", "noexists"), "noexists", "test-dtb")


@case
def filenames(flasher):
    same(flasher.call("get_kernel_filename"), "kernel")
    same(flasher.call("get_initram_filename"), "initramfs")
    same(flasher.call("get_dtb_filename"), "test-dtb.dtb")


@case
def addresses(flasher):
    same(flasher.call("get_kernel_address"), "0x82000000")
    same(flasher.call("get_initram_address"), "0x83000000")
    same(flasher.call("get_dtb_address"), "0x84000000")


DEFAULT = "booti 0x82000000 - 0x84000000"


@case
def bootcmd(flasher):
    same(flasher.call("get_bootcmd"), DEFAULT)


@case
def bootcmd_of_a_variant(flasher):
    flasher.call("use_dtb_variant", "othercmd")
    same(flasher.call("get_bootcmd"), "bootm")
    same(flasher.call("get_dtb_filename"), "")


@case
def bootcmd_of_a_variant_without_its_own(flasher):
    flasher.call("use_dtb_variant", "alternate")
    same(flasher.call("get_bootcmd"), DEFAULT)


@case
def bootcmd_back_and_forth(flasher):
    for variant, expected in [("othercmd", "bootm"), ("test-dtb", DEFAULT)]:
        flasher.call("use_dtb_variant", variant)
        same(flasher.call("get_bootcmd"), expected)


@case
def unknown_variant(flasher):
    raises(DriverInvalidArgument, lambda: flasher.call("use_dtb_variant", "noexists"))
    assert isinstance(DriverInvalidArgument("x"), ValueError)


print(cases, "cases")
