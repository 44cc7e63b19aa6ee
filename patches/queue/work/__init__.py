"""What is done with each kind of job when its turn comes, one kind a file."""
