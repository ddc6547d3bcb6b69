"""A company that does not exist: example data for the demo, the tests and the benchmark."""
