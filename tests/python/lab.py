"""What the scripts share: a client of the exporter in the environment, and comparisons that say what they saw."""

from jumpstarter.utils.env import env  # noqa: F401


def same(found, expected, what=""):
    assert found == expected, f"{what}: expected {expected!r:.300}, found {found!r:.300}"


def noise(length, seed=1):
    import random

    return random.Random(seed).randbytes(length)


def raises(kind, call, *texts):
    """Calls, expects exactly this exception, and gives its text."""
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]  # a call inside a stream comes in a group of its own
        assert type(error) is kind, f"expected {kind}, found {type(error)}: {error}"
        for text in texts:
            assert text in str(error), f"expected {text!r} in {error}"
        return str(error)
    raise AssertionError(f"expected {kind}, found the result {result!r}")
