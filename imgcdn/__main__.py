"""`python -m imgcdn` is the command line."""

import sys

from imgcdn.cli import main

if __name__ == "__main__":
    sys.exit(main())
