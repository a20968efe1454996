"""Repositories: one module per table or subject.

Each function runs the SQL section of the same name.
"""
