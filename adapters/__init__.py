"""Networks, chains and compositions in other programs: one module for each of them, and nothing but the core below."""
