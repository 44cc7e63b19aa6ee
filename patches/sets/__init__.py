"""The patch sets: each file names what it replaces in the host."""
