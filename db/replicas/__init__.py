"""Read replicas: reads at standbys that have the current data, otherwise at the primary."""
