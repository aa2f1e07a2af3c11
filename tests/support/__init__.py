"""Real programs nobody here wrote, started for a test and stopped after it. Everything stays on the loopback."""
