"""Write to a Tallystick log, or check one; the `tallystick` command lives here."""
