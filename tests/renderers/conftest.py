"""What these tests need of the system."""

import sys

# They look at processes, schedulers and capabilities as Linux has them.
collect_ignore = [] if sys.platform == "linux" else ["test_renderers.py", "test_priority.py"]
