"""The order of steps, and the work that no client waits for."""
