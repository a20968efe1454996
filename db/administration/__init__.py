"""Statements of commands for operators, which no request needs."""
