"""Simulated flights → trained weights: recipes, losses, loops. Needs torch."""
