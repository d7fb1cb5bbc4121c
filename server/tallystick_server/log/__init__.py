"""One log: planning, committing, publishing and reading it."""
