"""What people enter: forms, files and requests, judged and turned into settings."""
