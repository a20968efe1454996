"""Rate limits per caller, counted in memory or in shared storage, and limits on open streams."""
