"""A small shop on Django: what the pool does, to look at and to put under load."""
