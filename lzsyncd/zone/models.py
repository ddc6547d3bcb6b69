"""The Learning Zone's tables as Peewee models (CONTRACT section 7), for programs and pages that read or edit records.

The migrations make the tables, and a test holds these models to them. A run itself works set by set, in SQL.

There are no foreign-key constraints: a run writes a million links in one statement, PostgreSQL would check each by a
trigger, and the checks of the run judge every link in the same transaction.
"""

import peewee
from peewee import BigAutoField, BigIntegerField, BooleanField, CompositeKey, IntegerField, TextField


class Table(peewee.Model):
    """A table of a site's database; bind it with `database.bind_ctx(...)` before use."""


class Unit(Table):
    """What units and positions have in common."""

    id = BigAutoField()
    idnumber = TextField(null=True)
    fullname = TextField(default="")
    shortname = TextField(null=True)
    description = TextField(null=True)
    framework = TextField(null=True)
    type = TextField(null=True)
    parent_id = BigIntegerField(null=True)
    path = TextField(default="")
    depth = IntegerField(default=1)
    custom = TextField(default="{}")
    managed = BooleanField(default=False)
    hidden = BooleanField(default=False)
    hidden_by_feed = BooleanField(default=False)
    created_at = TextField(default="")
    updated_at = TextField(default="")


class Org(Unit):
    """A unit of the organisation."""

    class Meta:
        """Peewee's."""

        table_name = "lz_org"


class Pos(Unit):
    """A position."""

    class Meta:
        """Peewee's."""

        table_name = "lz_pos"


class User(Table):
    """A person. Deleted people keep their row, so that they can come back as themselves."""

    id = BigAutoField()
    idnumber = TextField(null=True)
    username = TextField(default="")
    email = TextField(null=True)
    firstname = TextField(default="")
    lastname = TextField(default="")
    auth = TextField(null=True)
    lang = TextField(null=True)
    country = TextField(null=True)
    timezone = TextField(null=True)
    city = TextField(null=True)
    phone1 = TextField(null=True)
    phone2 = TextField(null=True)
    address = TextField(null=True)
    institution = TextField(null=True)
    department = TextField(null=True)
    url = TextField(null=True)
    description = TextField(null=True)
    middlename = TextField(null=True)
    alternatename = TextField(null=True)
    firstnamephonetic = TextField(null=True)
    lastnamephonetic = TextField(null=True)
    emailstop = BooleanField(null=True)
    custom = TextField(default="{}")
    managed = BooleanField(default=False)
    suspended = BooleanField(default=False)
    suspended_by_feed = BooleanField(default=False)
    deleted = BooleanField(default=False)
    created_at = TextField(default="")
    updated_at = TextField(default="")

    class Meta:
        """Peewee's."""

        table_name = "lz_user"


class Job(Table):
    """A job of a person: unit, position, manager. The feed keeps one of each person; others are made by hand."""

    id = BigAutoField()
    user_id = BigIntegerField()
    idnumber = TextField(null=True)
    fullname = TextField(null=True)
    start_date = TextField(null=True)
    end_date = TextField(null=True)
    org_id = BigIntegerField(null=True)
    pos_id = BigIntegerField(null=True)
    manager_id = BigIntegerField(null=True)
    appraiser_id = BigIntegerField(null=True)
    managed = BooleanField(default=False)

    class Meta:
        """Peewee's."""

        table_name = "lz_job"


class Audience(Table):
    """A group whose members follow from a rule."""

    id = BigAutoField()
    name = TextField(unique=True)
    rule = TextField(default="{}")
    frozen = BooleanField(default=False)

    class Meta:
        """Peewee's."""

        table_name = "lz_audience"


class AudienceMember(Table):
    """Who is in an audience, and since when."""

    audience_id = BigIntegerField()
    user_id = BigIntegerField()
    since = TextField()

    class Meta:
        """Peewee's."""

        table_name = "lz_audience_member"
        primary_key = CompositeKey("audience_id", "user_id")


class Assignment(Table):
    """Learning assigned to a person through an audience."""

    id = BigAutoField()
    user_id = BigIntegerField()
    item = TextField()
    audience_id = BigIntegerField()
    assigned_at = TextField()
    due_at = TextField(null=True)
    removed_at = TextField(null=True)

    class Meta:
        """Peewee's."""

        table_name = "lz_assignment"


ZONE = (Org, Pos, User, Job, Audience, AudienceMember, Assignment)
