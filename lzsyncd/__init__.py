"""lzsyncd keeps a Learning Zone in step with HR: CSV files in, the site up to date, every bad row explained."""

__version__ = "0.1.0"
