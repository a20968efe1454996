"""Stages of a batch: validate, convert, aggregate, encode, apply, report, revert."""
