"""Programs and files of a deployment: linters, nginx and units of systemd."""
