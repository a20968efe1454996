"""`bench uploads`: uploads by mutation and by file, through real processes."""
