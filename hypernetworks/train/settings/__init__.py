"""Every setting of a training job, declared once."""
