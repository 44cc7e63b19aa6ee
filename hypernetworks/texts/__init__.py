"""Settings as text: TOML and JSON as people write them, and what the files of other programs are."""
