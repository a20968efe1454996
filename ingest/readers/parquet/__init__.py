"""Reader of Parquet files, in a subprocess."""
