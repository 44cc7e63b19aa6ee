"""Losses, optimizers, learning-rate schedules, averages and precision.

A new optimizer, schedule or loss is a file here that adds itself to the registry of its kind.
"""
