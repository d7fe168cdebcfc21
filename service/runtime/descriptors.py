"""Descriptors of files and sockets, of which the system gives a process so many."""

from __future__ import annotations

import contextlib
import logging
import resource
from typing import Final

OWN_DESCRIPTORS: Final = 256  # for models, the store, Redis and logs
log: Final = logging.getLogger("regulars.service")


def make_room(connections: int) -> int:
    """Raise the limit of this process, and of those it starts, as far as connections need it.

    Returns for how many there is room. Many systems begin with 1,024 descriptors.
    """
    needed = connections + OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < needed:
        wanted = needed if hard < 0 else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):  # where even this is not allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    room = connections if soft < 0 else min(connections, max(soft - OWN_DESCRIPTORS, soft // 2))
    if room < connections:
        log.warning("of %s connections, descriptors (ulimit -n) allow %s", connections, room)
    return room
