"""What a run shows and records: metrics, logs, previews, sheets."""
