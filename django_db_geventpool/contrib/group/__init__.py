"""What the processes of a group tell each other of their pools, so that one can tell of all."""
