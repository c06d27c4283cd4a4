"""A card that tells more than it holds, as a plugin of nbdkit: what lies beyond wraps round or is dropped."""

API_VERSION = 2

settings = {}


def config(key, value):
    settings[key] = value


def config_complete():
    for key in ("tells", "holds"):
        settings[key] = int(settings[key])


def open(_readonly):
    import builtins

    return builtins.open(settings["file"], "r+b", buffering=0)


def get_size(_card):
    return settings["tells"]


def pieces(offset, count):
    """Where the bytes really are: place in the request, place on the card or None, length."""
    holds, done = settings["holds"], 0
    while done < count:
        place = offset + done
        length = min(count - done, holds - place % holds)
        is_lost = place >= holds and settings["beyond"] == "drop"
        yield done, None if is_lost else place % holds, length
        done += length


def pread(card, buffer, offset, _flags):
    for start, place, length in pieces(offset, len(buffer)):
        if place is None:
            buffer[start : start + length] = bytes(length)
            continue
        card.seek(place)
        buffer[start : start + length] = card.read(length)


def pwrite(card, buffer, offset, _flags):
    for start, place, length in pieces(offset, len(buffer)):
        if place is not None:
            card.seek(place)
            card.write(buffer[start : start + length])


def flush(_card, _flags):
    pass
