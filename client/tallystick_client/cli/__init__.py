"""The `tallystick` command: people's verbs, and the way to the operators' commands."""
