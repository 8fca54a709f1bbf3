"""Requirements of these tests."""

import sys

# The tests inspect processes, schedulers and capabilities, which are specific to Linux.
collect_ignore = [] if sys.platform == "linux" else ["test_renderers.py", "test_priority.py"]
