"""Global object identification: IDs that are unique across types, and their objects."""
