"""Statistics of large markets: from sketches, from single prices, and by SQL."""
