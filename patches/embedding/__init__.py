"""The port on the host's text encoder for words that are trained."""
