"""Data: pictures and captions, read, framed, encoded once and dealt out in batches."""
