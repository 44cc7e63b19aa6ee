"""The tab Dataset."""
