"""The rows of hypernetworks beside txt2img and img2img."""
