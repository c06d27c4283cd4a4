"""Stays connected until its own input ends."""

import sys

from lab import env

with env() as client:
    client.power.on()
    print("here", flush=True)
    sys.stdin.read()
    client.power.off()
