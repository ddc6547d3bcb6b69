"""What the pages ask a site's database. Every list is asked for page by page (`slices.py`)."""
