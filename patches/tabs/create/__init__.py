"""The tab Create Beta Hypernetwork."""
