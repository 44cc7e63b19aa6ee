"""The tab Train Gamma."""
