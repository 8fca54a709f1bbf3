"""Original bytes -> variant bytes. The only folder that imports Pillow; no network, no cache."""

import os

# Read by SVT-AV1 at its first encode; without it, 23 lines a process on stderr.
os.environ.setdefault("SVT_LOG", "0")
