"""The merge methods, a file each. A new file here is a new method everywhere; its texts want their translations."""
