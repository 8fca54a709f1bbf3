"""Measurements. Ratios within one run, alternating, because a machine's speed drifts."""
