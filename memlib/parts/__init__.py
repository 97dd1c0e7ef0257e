"""What memories are handed or share, and what is no memory: pools, losses, learned gates and weights, states."""
