"""Where a log is kept: the seam, its backends and the suite both must pass."""
