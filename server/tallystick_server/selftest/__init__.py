"""The selftest: a bounded crash-and-verify drill on the operator's own disk."""
