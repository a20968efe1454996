"""Reading of the project's own code and of the libraries it relies on."""
