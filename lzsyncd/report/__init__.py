"""What the world is told after a run: the outbox for whoever made the export."""
