"""Records of the differences that a tree change under way makes to the prices of a batch."""
