"""The admin page: upload, look, decide. It reads a site's database, writes its inbox and requests, starts no runs."""
