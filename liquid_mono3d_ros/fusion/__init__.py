"""Video features and trajectories, with their stamps → one embedding, and what is read from it."""
