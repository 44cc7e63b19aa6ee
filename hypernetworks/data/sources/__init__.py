"""The sources of pictures, a file each. A new file here is a new source everywhere."""
