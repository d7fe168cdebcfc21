"""`python -m service` runs the command line of `service/commands.py`."""

import os
import sys
from collections.abc import Sequence

PROGRAM = "python -m service"


def run(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run a command of the process and return its exit status."""
    # Set before NumPy is loaded: its threads spin while they wait for each other, and a slate is
    # too small to be shared. On a busy machine the slowest slates took 240 ms with two, 18 ms with
    # one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from service.commands import main

    return main(arguments, program)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
