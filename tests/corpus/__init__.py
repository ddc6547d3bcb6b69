"""The corpus: sets of files, and by hand what must come of them."""
