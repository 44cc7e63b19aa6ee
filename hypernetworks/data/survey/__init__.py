"""A dataset looked at before training: problems, duplicates, tags, captions and their edits."""
