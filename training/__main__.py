"""Run a command of training: python -m training."""

import signal
import sys
import time

if __name__ == "__main__":
    # A supervisor's SIGTERM ends it like Ctrl-C, so that temporary folders with customers' data are
    # removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # This takes a second, in which Ctrl-C may be pressed.
        from training.cli.commands import main
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main(sys.argv[1:], now=int(time.time())))
