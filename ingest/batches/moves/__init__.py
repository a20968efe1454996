"""Part of a batch in a change of the region tree that is under way in steps."""
