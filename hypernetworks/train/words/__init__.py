"""Words that a run trains: how they start, and what they cost."""
