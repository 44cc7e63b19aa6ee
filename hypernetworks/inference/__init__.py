"""Chains of networks at generation: reduced to the fewest products, and computed once for each text."""
