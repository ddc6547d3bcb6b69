"""The Learning Zone's tables, as Peewee sees them (CONTRACT section 7). The migrations make them; nothing else does.

The tables carry no foreign-key constraints: a run writes a million links in one statement, PostgreSQL would check each
by a trigger (measured: more than the whole run), and the checks of a run judge every link in the same transaction.
"""

from typing import Any

from peewee import AutoField, BigAutoField, BigIntegerField, BooleanField, IntegerField, Model, TextField


class Unit(Model):
    """What units and positions have in common."""

    id = BigAutoField()
    idnumber = TextField(null=True)
    fullname = TextField()
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
    created_at = TextField()
    updated_at = TextField()


class Org(Unit):
    """A unit of the organisation."""

    class Meta:
        table_name = "lz_org"


class Pos(Unit):
    """A position."""

    class Meta:
        table_name = "lz_pos"


class User(Model):
    """A person. Deleted people keep their row, so that they can come back as themselves."""

    id = BigAutoField()
    idnumber = TextField(null=True)
    username = TextField()
    email = TextField(null=True)
    firstname = TextField()
    lastname = TextField()
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
    created_at = TextField()
    updated_at = TextField()

    class Meta:
        table_name = "lz_user"
