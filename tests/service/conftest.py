"""Requirements of these tests."""

import sys

# The tests find processes through /proc, which only Linux has.
collect_ignore = [] if sys.platform == "linux" else ["test_images.py", "test_single_flight.py"]
