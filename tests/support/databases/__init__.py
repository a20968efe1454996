"""Database servers and their disks, and what they contain."""
