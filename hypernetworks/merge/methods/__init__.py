"""The merge methods, one per file. A new file here is a new method everywhere; its texts need translations."""
