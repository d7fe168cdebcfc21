"""Room on a disk, taken before a file is mapped: a write into a map that has none is SIGBUS."""

from __future__ import annotations

import os
import sys
from typing import Final

CHUNK_BYTES: Final = 1 << 16


def take_room(descriptor: int, size_bytes: int) -> None:
    """Have the first bytes of a file on the disk, zeros where there were none.

    Raises OSError where there is no room; the file may have become longer then.
    """
    if sys.platform == "darwin":
        while (begin := os.fstat(descriptor).st_size) < size_bytes:
            os.pwrite(descriptor, bytes(min(CHUNK_BYTES, size_bytes - begin)), begin)
    else:
        os.posix_fallocate(descriptor, 0, size_bytes)
