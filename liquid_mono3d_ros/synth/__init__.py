"""A world whose truth is known: paths, rigs, images."""
