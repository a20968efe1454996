"""`bench reads` and `bench billion`: cost of an average by history, region and rows per key."""
