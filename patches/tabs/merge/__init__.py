"""The tab Merge Hypernetworks."""
