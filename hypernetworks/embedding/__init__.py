"""Textual inversion: vectors that stand for words of captions, how they start, and their files."""
