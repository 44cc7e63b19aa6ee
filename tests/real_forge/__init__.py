"""Tests against an installed Forge or reForge, which the environment variable FORGE_DIR names."""
