"""What every room stands on: errors, how a setting is declared, names, atomic writes, randomness."""
