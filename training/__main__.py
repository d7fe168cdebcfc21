"""python -m training …"""

import signal
import sys
import time

if __name__ == "__main__":
    # Whoever ends it, a person or a supervisor, nothing of the customers stays behind in a temporary folder.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from training.cli.commands import (
            main,  # takes a second, in which somebody may change their mind
        )
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main(sys.argv[1:], now=int(time.time())))
