"""`tallystick demo`: a log and two witnesses on one machine, and the whole story."""
