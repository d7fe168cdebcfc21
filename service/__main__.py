"""`python -m service` runs the command line of `service/commands.py`."""

import os
import sys

if __name__ == "__main__":
    # Set before NumPy is loaded: its threads spin while they wait for each other, and a slate is
    # too small to be shared. On a busy machine the slowest slates took 240 ms with two, 18 ms with
    # one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from service.commands import main

    sys.exit(main())
