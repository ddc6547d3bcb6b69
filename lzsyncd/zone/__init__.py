"""The Learning Zone's own tables (`lz_*`), their migrations, and the one place that knows two databases."""
