"""The tab Inspect Hypernetwork."""
