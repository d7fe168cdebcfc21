"""python -m training …"""

import sys
import time

from training.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], now=int(time.time())))
