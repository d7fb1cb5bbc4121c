"""`tallystick demo`: two logs and two witnesses on one machine, and the whole story."""
