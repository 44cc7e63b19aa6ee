"""Coloured shapes drawn by code, a judge that reads them back, and the training of the demo checkpoint."""
