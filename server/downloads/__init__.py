"""Downloads of query results as files."""
