"""The serial line can be had."""

from lab import env, same

with env() as client, client.storage.serial.stream() as line:
    line.send(b"hello")
    same(line.receive(), b"hello")
