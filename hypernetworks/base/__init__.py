"""The foundation of all rooms: errors, declared settings, registries, names, atomic writes, randomness."""
