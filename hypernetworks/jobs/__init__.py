"""User input: forms, files and requests, checked and turned into settings."""
