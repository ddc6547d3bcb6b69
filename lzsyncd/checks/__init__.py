"""What can be wrong with a set: the catalogue of findings and the checks that raise them."""
