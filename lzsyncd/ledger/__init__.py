"""What happened and why: runs, counts, files, findings and changes (`sync_*`)."""
