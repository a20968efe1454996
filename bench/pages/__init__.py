"""`bench pages`: time from the address of a page to its first content in a browser."""
