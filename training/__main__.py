"""Run a command of training: python -m training."""

import signal
import sys
import time
from collections.abc import Sequence

PROGRAM = "python -m training"


def run(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run a command of the process and return its exit status."""
    # A supervisor's SIGTERM ends it like Ctrl-C, so that temporary folders with customers' data are
    # removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # This takes a second, in which Ctrl-C may be pressed.
        from training.cli.commands import main
    except KeyboardInterrupt:
        return 130
    return main(arguments, now=int(time.time()), program=program)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
