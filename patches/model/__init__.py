"""The core's ports on the host's model, and temporary changes of that model."""
