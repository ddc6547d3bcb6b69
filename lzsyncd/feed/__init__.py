"""From bytes to staged records: the columns of each element, the CSV reader, the staging tables."""
