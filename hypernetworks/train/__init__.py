"""Training: settings -> dataset -> batches -> loss -> optimizer -> files."""
