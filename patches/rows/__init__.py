"""The rows of hypernetworks next to txt2img and img2img."""
