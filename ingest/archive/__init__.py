"""Archive: observations of old months in Parquet files, outside of the database."""
