"""Where the fitted numbers come from: quality curves, the measure of q=auto, size limits."""
