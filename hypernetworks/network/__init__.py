"""The network itself: its structure, its layers, its settings, and the affine map it may come to."""
