"""The network itself: its structure, its layers, its settings, and the affine map that it may reduce to."""
