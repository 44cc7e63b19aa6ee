"""Looks of many kinds, named in captions: the wider world that the demo's U-Net knows besides its plain shapes."""
