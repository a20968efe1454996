"""Sketches of region pairs: built from observations, added up, moved, verified."""
