"""Hypernetworks as a subject of their own: networks, files, data, training and merging in plain PyTorch.

Nothing below this package imports the host. What it needs of a model it takes through `ports`.
"""
