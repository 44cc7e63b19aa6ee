"""What moves the weights: optimizers, learning-rate schedules, averages and precision."""
