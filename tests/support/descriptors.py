"""Processes that have run out of descriptors."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

NONE_LEFT: Final = 3  # those of a terminal are taken


@contextmanager
def no_descriptors_left(pid: int | None = None) -> Iterator[None]:
    """Let a process, or this one, open nothing meanwhile: EMFILE. What is open stays so."""
    pid = os.getpid() if pid is None else pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (NONE_LEFT, limits[1]))
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
