"""Where originals come from."""
