"""Tests of db.diagnosis."""
