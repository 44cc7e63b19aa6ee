"""Pictures and captions, encoded once before the first step and kept on disk for later runs."""
