"""The kinds of jobs, one per file. A new file here is a new kind everywhere."""
