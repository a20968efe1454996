"""Changes of the region tree in steps, between which uploads continue."""
