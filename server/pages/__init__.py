"""Pages for browsers: their HTML, their assets and their security headers."""
