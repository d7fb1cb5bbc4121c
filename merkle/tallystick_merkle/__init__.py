"""The Tallystick kernel: all that a verifier needs, and nothing that does I/O."""
