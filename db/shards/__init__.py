"""Reads of lanes at the Citus workers that store them."""
