"""Devices, memory, and the layers and attention that a step is computed with."""
