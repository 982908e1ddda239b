"""``python -m fourtuple``."""

import sys

from fourtuple.cli import main

if __name__ == "__main__":
    sys.exit(main())
