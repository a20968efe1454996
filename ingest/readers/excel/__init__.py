"""Reader of Excel workbooks (.xlsx), in a subprocess."""
