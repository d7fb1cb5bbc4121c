"""Recorded audit events that the demo appends, with their licence beside them."""
