"""Sketches: distributions of prices by day that add up, for statistics of large markets."""
