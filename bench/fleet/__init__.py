"""Simulation of workers that are scaled by the length of the queue."""
