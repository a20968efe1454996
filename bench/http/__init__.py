"""`bench http`: Ratesgraph compared with its peers over HTTP."""
