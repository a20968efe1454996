"""Exchange rates: the European Central Bank's history and refreshes over HTTP."""
