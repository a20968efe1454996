"""Parts of the verification: fingerprints, and what has changed since the last run."""
