"""Training runs in the host process: one at a time, started, watched and ended."""
