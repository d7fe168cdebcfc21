"""Processes that the modes of files bind, also where root runs the tests."""

import ctypes
import sys
from typing import Final

PR_CAPBSET_DROP: Final = 24
CAP_DAC_OVERRIDE: Final = 1


def obey_permissions() -> None:
    """Take root's right to write anywhere from the program that this process is about to run.

    Pass it as `preexec_fn`. Without root there is nothing to take.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
