"""Devices, memory, and fast or lean kernels for layers and attention."""
