"""Small databases for development and staging, made from a large one."""
