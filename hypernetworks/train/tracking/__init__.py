"""What a run shows and keeps of itself: metrics, logs, previews, sheets."""
