"""python -m uvnet: see uvnet._cli.main."""

import sys

from uvnet._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
