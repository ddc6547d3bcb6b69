"""The ledger's tables as Peewee models (CONTRACT section 7): runs, counts, files, the error table, changes, mail."""

from peewee import BigAutoField, BigIntegerField, BooleanField, CompositeKey, IntegerField, TextField

from lzsyncd.ledger.models_remote import OF_SERVERS
from lzsyncd.zone.models import Table


class Run(Table):
    """One attempt to sync a set, or to undo a run."""

    id = TextField(primary_key=True)
    kind = TextField()
    trigger = TextField()
    slot = TextField(null=True)
    attempt = IntegerField(default=1)
    status = TextField()
    set_hash = TextField(null=True)
    plan_hash = TextField(null=True)
    created_at = TextField()
    started_at = TextField(null=True)
    finished_at = TextField(null=True)
    message = TextField(default="")
    undoes = TextField(null=True)
    pruned_at = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_run"


class Count(Table):
    """What became of the records of one element in one run."""

    run_id = TextField()
    element = TextField()
    read = IntegerField(default=0)
    created = IntegerField(default=0)
    updated = IntegerField(default=0)
    unchanged = IntegerField(default=0)
    revived = IntegerField(default=0)
    removed = IntegerField(default=0)
    absent = IntegerField(default=0)
    rejected = IntegerField(default=0)
    warnings = IntegerField(default=0)

    class Meta:
        """Peewee's."""

        table_name = "sync_count"
        primary_key = CompositeKey("run_id", "element")


class File(Table):
    """One file of the set of a run."""

    run_id = TextField()
    element = TextField()
    name = TextField()
    size = BigIntegerField()
    sha256 = TextField()
    records = IntegerField(default=0)
    header = TextField(default="[]")
    taken_by = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_file"
        primary_key = CompositeKey("run_id", "element")


class Error(Table):
    """One finding: the error table."""

    id = BigAutoField()
    run_id = TextField()
    element = TextField(null=True)
    file = TextField(null=True)
    line = IntegerField(null=True)
    record = IntegerField(null=True)
    idnumber = TextField(null=True)
    column_name = TextField(null=True)
    code = TextField()
    severity = TextField()
    message = TextField()
    value = TextField(null=True)
    caused_by = BigIntegerField(null=True)
    created_at = TextField()

    class Meta:
        """Peewee's."""

        table_name = "sync_error"


class Breach(Table):
    """One limit that a plan exceeds, with the largest groups behind it as JSON."""

    id = BigAutoField()
    run_id = TextField()
    element = TextField()
    guard = TextField()
    figure = IntegerField()
    base = IntegerField()
    allowed = TextField()
    unit = TextField(default="")
    largest = TextField(default="[]")
    withheld = BooleanField(default=False)

    class Meta:
        """Peewee's."""

        table_name = "sync_breach"


class Found(Table):
    """How often a run found what: the error table may have a million rows, and every page and list counts them."""

    run_id = TextField()
    element = TextField(null=True)
    code = TextField()
    severity = TextField()
    number = IntegerField()
    first_id = BigIntegerField()

    class Meta:
        """Peewee's."""

        table_name = "sync_found"
        primary_key = False


class Change(Table):
    """What one run made of one record."""

    id = BigAutoField()
    run_id = TextField()
    element = TextField()
    idnumber = TextField()
    action = TextField()
    before = TextField(default="{}")
    after = TextField(default="{}")
    file = TextField(null=True)
    line = IntegerField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_change"


class Planned(Table):
    """What a set that waits would make of one record."""

    id = BigAutoField()
    run_id = TextField()
    element = TextField()
    idnumber = TextField()
    action = TextField()
    before = TextField(default="{}")
    after = TextField(default="{}")
    file = TextField(null=True)
    line = IntegerField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_planned"


class Member(Table):
    """Who joined or left an audience in a run, and why."""

    run_id = TextField()
    audience_id = BigIntegerField()
    idnumber = TextField()
    action = TextField()
    reason = TextField(default="")

    class Meta:
        """Peewee's."""

        table_name = "sync_member"
        primary_key = False


class Image(Table):
    """A row of an `lz_` table as it was before a run, and as the run left it: what undo needs."""

    run_id = TextField()
    part = TextField()
    row_id = BigIntegerField()
    other_id = BigIntegerField(default=0)
    before = TextField(null=True)
    after = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_image"
        primary_key = CompositeKey("run_id", "part", "row_id", "other_id")


class Made(Table):
    """The ids that a run gave in one table: so that new rows need no image."""

    run_id = TextField()
    table_name = TextField()
    first_id = BigIntegerField()
    last_id = BigIntegerField()

    class Meta:
        """Peewee's."""

        table_name = "sync_made"
        primary_key = CompositeKey("run_id", "table_name")


class Audience(Table):
    """What a run did to one audience, in numbers; those in which nothing moved have no row."""

    run_id = TextField()
    audience_id = BigIntegerField()
    name = TextField()
    joined = IntegerField(default=0)
    left = IntegerField(default=0)
    assigned = IntegerField(default=0)
    unassigned = IntegerField(default=0)

    class Meta:
        """Peewee's."""

        table_name = "sync_audience"
        primary_key = CompositeKey("run_id", "audience_id")


class Slot(Table):
    """A slot that was claimed."""

    slot = TextField(primary_key=True)
    site = TextField()
    due_at = TextField()
    run_id = TextField(null=True)
    claimed_at = TextField()
    finished_at = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_slot"


class Request(Table):
    """What a person asked for: approve, discard, undo. Done by whoever holds the site's lock."""

    id = BigAutoField()
    kind = TextField()
    run_id = TextField(null=True)
    plan_hash = TextField(null=True)
    trigger = TextField(default="command")
    requested_by = TextField(default="")
    requested_at = TextField()
    started_at = TextField(null=True)
    done_at = TextField(null=True)
    exit_code = IntegerField(null=True)
    message = TextField(default="")
    result_run_id = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "sync_request"


class Mail(Table):
    """A mail, or message to chats, that waits, was sent, or was given up.

    `about` is what it is about: nothing is told of twice in the same way.
    """

    id = BigAutoField()
    about = TextField()
    run_id = TextField(null=True)
    kind = TextField()
    channel = TextField(default="mail")
    recipients = TextField()
    subject = TextField(default="")
    body = TextField(default="")
    message_id = TextField(default="")
    attempts = IntegerField(default=0)
    due_at = TextField()
    sent_at = TextField(null=True)
    given_up_at = TextField(null=True)
    error = TextField(default="")
    created_at = TextField()

    class Meta:
        """Peewee's."""

        table_name = "sync_mail"
        indexes = ((("about", "channel"), True),)


OF_RUNS = (Run, Count, File, Error, Found, Breach, Change, Planned, Member, Audience, Image, Made)
LEDGER = (*OF_RUNS, Slot, Request, Mail, *OF_SERVERS)
