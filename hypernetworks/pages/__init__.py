"""All texts that a page shows as HTML or SVG."""
