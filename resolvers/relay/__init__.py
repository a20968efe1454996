"""Global object identification: IDs that are unique across types, and the objects that they identify."""
