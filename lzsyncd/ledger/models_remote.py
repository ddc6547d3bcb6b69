"""What the ledger keeps of remote servers, as Peewee models: files fetched, reports put, how the visits go."""

from peewee import BigAutoField, BigIntegerField, TextField

from lzsyncd.zone.models import Table


class Fetch(Table):
    """A file of a remote server that was seen or fetched."""

    id = BigAutoField()
    place = TextField()
    name = TextField()
    size = BigIntegerField()
    mtime = BigIntegerField()
    status = TextField()
    seen_at = TextField()

    class Meta:
        """Peewee's."""

        table_name = "sync_fetch"


class Put(Table):
    """A report that was put to a remote server, and in which version."""

    id = BigAutoField()
    place = TextField()
    run_id = TextField()
    version = TextField()

    class Meta:
        """Peewee's."""

        table_name = "sync_put"


class Visit(Table):
    """How the visits of a remote server go."""

    id = BigAutoField()
    place = TextField()
    first_at = TextField()
    visited_at = TextField(null=True)
    well_at = TextField(null=True)
    fetched_at = TextField(null=True)
    trouble = TextField(default="")
    waiting = TextField(default="")

    class Meta:
        """Peewee's."""

        table_name = "sync_visit"


OF_SERVERS = (Fetch, Put, Visit)
