"""From what a producer sends to what the log is given, and who sends what."""
