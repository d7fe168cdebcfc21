"""python -m training …"""

import sys
import time

if __name__ == "__main__":
    try:
        from training.commands import main  # takes a second, in which somebody may change their mind
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main(sys.argv[1:], now=int(time.time())))
