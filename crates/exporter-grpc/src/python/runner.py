"""Serves nodes whose drivers only Python has to the exporter that started this, until its end of the standard input is closed."""

import asyncio
import json
import os
import signal
import sys
import threading

CLOSING_SECONDS = 5


def drivers(nodes, path, failed):
    """The drivers of `nodes` by name; what cannot be built is left out, and `failed` says why."""
    from jumpstarter.config.exporter import ExporterConfigV1Alpha1DriverInstance
    from jumpstarter_driver_composite.driver import Composite

    built = {}
    for name, node in nodes.items():
        at = [*path, name]
        if "group" in node:
            built[name] = Composite(children=drivers(node["group"], at, failed))
            continue
        try:
            built[name] = ExporterConfigV1Alpha1DriverInstance.model_validate(node["node"]).instantiate()
        except Exception as error:
            failed[".".join(at)] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return built


def end_with_parent(loop, stop):
    """The input ends when the parent closes it, and also when the parent is killed."""
    sys.stdin.buffer.read()
    # Children of the drivers are of this process group.
    timer = threading.Timer(CLOSING_SECONDS, os.killpg, (0, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    loop.call_soon_threadsafe(stop.set)


async def main(address):
    nodes = json.loads(sys.stdin.buffer.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What drivers print is no answer.
    stop = asyncio.Event()
    threading.Thread(target=end_with_parent, args=(asyncio.get_running_loop(), stop), daemon=True).start()
    failed = {}
    from jumpstarter.common import ExporterStatus
    from jumpstarter.exporter import Session
    from jumpstarter_driver_composite.driver import Composite

    with Session(root_device=Composite(children=drivers(nodes, [], failed))) as session:
        async with session.serve_port_async(f"unix://{address}"):
            session.update_status(ExporterStatus.LEASE_READY)
            print(json.dumps({"failed": failed}), file=answer, flush=True)
            await stop.wait()


try:
    asyncio.run(main(sys.argv[1]))
except (ImportError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
finally:
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
