"""What these tests need of the system."""

import sys

# How processes are found is Linux's way.
collect_ignore = [] if sys.platform == "linux" else ["test_images.py", "test_single_flight.py"]
