"""The core's ports on the host's model, and what is done to that model for a while."""
