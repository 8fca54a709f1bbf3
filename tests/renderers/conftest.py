"""Requirements of these tests."""

import sys

# The tests inspect processes, schedulers and capabilities, which are specific to Linux.
collect_ignore = (
    [] if sys.platform == "linux" else ["test_broker.py", "test_child.py", "test_killing.py", "test_priority.py"]
)
