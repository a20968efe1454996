"""Sketches: mergeable distributions of prices by day, for statistics of large markets."""
