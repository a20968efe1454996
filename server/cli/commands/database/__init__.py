"""Commands that maintain or copy a whole database."""
