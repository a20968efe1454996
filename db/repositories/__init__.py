"""Repositories: one module per table or subject, each function runs the SQL section of its name."""
