"""Tests against an installed WebUI, which the environment variable WEBUI_DIR names."""
