"""Sketches of region pairs: built from observations, merged, moved, verified."""
