"""How a set comes in: taken into the spool untouched, archived byte for byte."""
