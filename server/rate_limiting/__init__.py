"""Rate limits per caller, in memory or in shared storage, and limits on open streams."""
