"""Picture files: which files of a folder are pictures, of what format, and read without the ballast in them."""
