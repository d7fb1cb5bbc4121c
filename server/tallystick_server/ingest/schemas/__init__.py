"""The schemas of a log: registered in it, and applied to what comes in."""
