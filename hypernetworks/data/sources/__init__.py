"""The sources of pictures, one per file. A new file here is a new source everywhere."""
