"""`python -m optlab` is the command `optlab`."""

from __future__ import annotations

import sys

from optlab.cli import main

# The guard matters: a spawned worker imports this file again under another name.
if __name__ == "__main__":
    sys.exit(main())
