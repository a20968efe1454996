"""Records of what a tree change that is under way does to the prices of a batch."""
