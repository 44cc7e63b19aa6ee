"""Prompt templates for training."""
