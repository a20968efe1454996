"""Types and root fields of the analysis: series, coverage, matrices, benchmarks."""
