"""Every text that a page shows as HTML or SVG."""
