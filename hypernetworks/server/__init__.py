"""Who may ask a web server of ours: its own pages, and nothing that only borrows their name."""
