"""`bench ingest`: a complete apply compared with a bare COPY, and the time of its stages."""
