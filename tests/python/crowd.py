"""Fifty clients at once, each with its own connection, calls and files."""

from concurrent.futures import ThreadPoolExecutor

from lab import env, noise, same


def one(number):
    with env() as client:
        storage, data = client.storage.http.storage, noise(200_000, number)
        for _ in range(5):
            client.storage.power.on()
        storage.write_bytes(f"file-{number}", data)
        same(storage.read_bytes(f"file-{number}"), data)
        return client.storage.call("get_kernel_address")


with ThreadPoolExecutor(50) as crowd:
    same(list(crowd.map(one, range(50))), ["0x82000000"] * 50)
