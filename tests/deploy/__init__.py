"""Deployment artefacts in `deploy/`: checked by linters, and run where possible."""
