"""Original bytes -> variant bytes. The only folder that imports Pillow; no network, no cache."""

import os

# SVT-AV1 reads this variable at its first encode. Without it, each process prints 23 lines on stderr.
os.environ.setdefault("SVT_LOG", "0")
