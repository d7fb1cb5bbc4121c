"""An independent cosigner of Tallystick checkpoints."""
