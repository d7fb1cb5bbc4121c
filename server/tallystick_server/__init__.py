"""The Tallystick log server."""
