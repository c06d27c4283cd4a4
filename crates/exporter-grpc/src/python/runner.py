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


def references(node):
    """What the `ref`s in a node as it is written name."""
    if "ref" in node:
        yield node["ref"]
    for child in node.get("children", {}).values():
        yield from references(child)


def leave_out_dangling(built, nodes, path, failed, top):
    """Leaves out what refers to a driver that is not there; true when there was one. Jumpstarter would report no node at all."""
    found = False
    for name, node in nodes.items():
        at = [*path, name]
        if "group" in node:
            found |= leave_out_dangling(built[name].children, node["group"], at, failed, top)
            continue
        missing = [it for it in references(node["node"]) if name in built and not leads_somewhere(it, top)]
        if missing:
            built.pop(name).close()
            failed[".".join(at)] = f"it refers to {missing[0]}, which is not there"
            found = True
    return found


def leads_somewhere(reference, drivers):
    for name in reference.split("."):
        if name not in drivers:
            return False
        drivers = drivers[name].children
    return True


def kinds(drivers, path):
    """What each driver can be used as, by dotted path."""
    found = {}
    for name, driver in drivers.items():
        at, of = [*path, name], type(driver)
        is_switch = callable(getattr(of, "on", None)) and callable(getattr(of, "off", None))
        found[".".join(at)] = {"power": is_switch, "serial": callable(getattr(of, "connect", None))}
        found |= kinds(driver.children, at)
    return found


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

    built = drivers(nodes, [], failed)
    while leave_out_dangling(built, nodes, [], failed, built):
        pass
    with Session(root_device=Composite(children=built)) as session:
        async with session.serve_port_async(f"unix://{address}"):
            session.update_status(ExporterStatus.LEASE_READY)
            print(json.dumps({"failed": failed, "kinds": kinds(built, [])}), file=answer, flush=True)
            await stop.wait()


def check():
    """Imports each class and says which cannot be; opens no hardware."""
    classes = json.loads(sys.stdin.buffer.readline())
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What modules print is no answer.
    from jumpstarter.common.importlib import import_class

    failed = {}
    for name in classes:
        try:
            import_class(name, [], True)
        except Exception as error:
            failed[name] = (f"{type(error).__name__}: {error}".splitlines() or [""])[0][:300]
    print(json.dumps({"failed": failed, "kinds": {}}), file=answer, flush=True)


try:
    check() if sys.argv[1:] == [] else asyncio.run(main(sys.argv[1]))
except (ImportError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
finally:
    sys.stderr.flush()
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
