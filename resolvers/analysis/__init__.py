"""Questions of analysts: price series, coverage, matrices of lanes, benchmarks."""
