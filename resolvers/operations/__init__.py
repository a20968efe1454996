"""State of the installation, for its operators."""
