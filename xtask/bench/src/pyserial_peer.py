"""The peer of `cargo xtask bench serial`: reads a line through pyserial, answers as the bench expects, prints bytes and peak KiB."""

import resource
import sys

import serial

line = serial.Serial(sys.argv[1], 115200)
line.write(b"!")
count = 0
while True:
    got = line.read(max(1, line.in_waiting))
    count += len(got)
    if got == b"?":
        line.write(b"!")
    if got.endswith(b"\n"):
        break
line.write(b"!")
line.flush()
print(count)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
