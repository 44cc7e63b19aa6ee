"""Hypernetworks as the host itself reads and applies them."""
