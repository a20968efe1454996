"""Root fields for the operators of the installation."""
