"""Cells of every kind, and what becomes of them: good ones, those that only need tidying, and bad ones."""

from zoneinfo import ZoneInfo

from lzsyncd.checks.values import Rules, normalise
from lzsyncd.feed.elements import COLUMNS, Column, Element, Home, Kind

USER = {column.name: column for column in COLUMNS[Element.USER]}
ORG = {column.name: column for column in COLUMNS[Element.ORG]}
OPTIONS = ("North", "South", "Große Höhe")


def rules(
    *date_formats: str, zone: str = "Europe/London", duplicates: bool = False, element: Element = Element.USER
) -> Rules:
    return Rules(element, date_formats, ZoneInfo(zone), duplicates)


def custom(kind: Kind, *, required: bool = False, limit: int = 0) -> Column:
    options = OPTIONS if kind in (Kind.MENU, Kind.MULTISELECT) else ()
    return Column(f"customfield_{kind}", kind, limit, kind, "", home=Home.CUSTOM, required=required, options=options)


def code_of(column: Column, text: str, given_rules: Rules | None = None) -> str:
    finding = normalise(column, text, given_rules or rules())[1]
    return finding.code if finding else ""


GOOD = [
    (USER["idnumber"], "0", "0"),
    (USER["idnumber"], "00", "00"),
    (USER["idnumber"], " A1 ", "A1"),
    (USER["idnumber"], "\N{NO-BREAK SPACE}Ä\N{NO-BREAK SPACE}", "Ä"),
    (USER["firstname"], "  Mary Jane\t", "Mary Jane"),
    (USER["firstname"], "x" * 100, "x" * 100),
    (USER["description"], "two\nlines", "two\nlines"),
    (USER["orgidnumber"], "ops", "ops"),
    (USER["username"], "a.b_c-d@e9", "a.b_c-d@e9"),
    (USER["email"], "Ada@ACME.test", "Ada@ACME.test"),
    (USER["email"], "a@b", "a@b"),
    (USER["email"], ".a..b.!#$%&'*+/=?^_`{|}~-@a-b.c", ".a..b.!#$%&'*+/=?^_`{|}~-@a-b.c"),
    (USER["email"], "a@" + "b" * 63 + ".test", "a@" + "b" * 63 + ".test"),
    (USER["email"], "a@b--c.test", "a@b--c.test"),
    (USER["email"], "jörg@münchen.example", "jörg@münchen.example"),
    (USER["email"], "jo\u0308rg@example.test", "jo\u0308rg@example.test"),
    (USER["email"], "अजय@डाटा.भारत", "अजय@डाटा.भारत"),
    (USER["email"], "用户@例子.广告", "用户@例子.广告"),
    (USER["email"], "a٣@b٣.test", "a٣@b٣.test"),
    *((USER["suspended"], word, "1") for word in ("1", "true", "TRUE", "Yes", "y", " Y ")),
    *((USER["emailstop"], word, "0") for word in ("0", "false", "False", "NO", "n")),
    (USER["deleted"], "yes", "1"),
    (USER["deleted"], "", "0"),
    (USER["deleted"], "  ", "0"),
    (USER["jobassignmentstartdate"], "2026-01-31", "2026-01-31"),
    (USER["jobassignmentstartdate"], "20260131", "2026-01-31"),
    (USER["jobassignmentstartdate"], "2026-W05-6", "2026-01-31"),
    (USER["jobassignmentstartdate"], "2024-02-29", "2024-02-29"),
    (USER["jobassignmentstartdate"], "0001-01-01", "0001-01-01"),
    (USER["jobassignmentstartdate"], "9999-12-31", "9999-12-31"),
    (USER["jobassignmentstartdate"], "2026-01-31T00:00:00", "2026-01-31"),
    (USER["jobassignmentstartdate"], "2026-01-31 00:00:00.000", "2026-01-31"),
    (USER["lang"], "en", "en"),
    (USER["lang"], "pt-BR", "pt-BR"),
    (USER["lang"], "zh-Hant-TW", "zh-Hant-TW"),
    (USER["lang"], "es-419", "es-419"),
    (USER["lang"], "de-CH-1901", "de-CH-1901"),
    (USER["lang"], "en-x-it", "en-x-it"),
    (USER["country"], "GB", "GB"),
    (USER["timezone"], "Europe/London", "Europe/London"),
    (USER["timezone"], "UTC", "UTC"),
    (USER["timezone"], "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    (USER["url"], "https://acme.test/", "https://acme.test/"),
    (USER["url"], "HTTP://acme.test:8080?a=b#c", "HTTP://acme.test:8080?a=b#c"),
    (USER["url"], "http://me:pw@[::1]/x", "http://me:pw@[::1]/x"),
    (USER["url"], "https://bücher.example/ä", "https://bücher.example/ä"),
    (custom(Kind.TEXT), "x" * 255, "x" * 255),
    (custom(Kind.TEXTAREA), "x" * 65_535, "x" * 65_535),
    (custom(Kind.CHECKBOX), "Y", "true"),
    (custom(Kind.CHECKBOX), "0", "false"),
    (custom(Kind.CHECKBOX), "", ""),
    (custom(Kind.MENU), "Große Höhe", "Große Höhe"),
    (custom(Kind.MULTISELECT), "South", '["South"]'),
    (custom(Kind.MULTISELECT), " South ,North,, South,", '["North","South"]'),
    (custom(Kind.MULTISELECT), "Große Höhe", '["Große Höhe"]'),
    (custom(Kind.MULTISELECT), "Große Höhe,South", '["South","Große Höhe"]'),
    (custom(Kind.DATE), "2026-01-31", "2026-01-31"),
    (custom(Kind.DATETIME), "2026-01-31T08:00:00", "2026-01-31T08:00:00Z"),
    (custom(Kind.DATETIME), "2026-07-31 08:00", "2026-07-31T07:00:00Z"),
    (custom(Kind.DATETIME), "2026-07-31", "2026-07-30T23:00:00Z"),
    (custom(Kind.DATETIME), "2026-07-31t08:00:00z", "2026-07-31T08:00:00Z"),
    (custom(Kind.DATETIME), "20260731T080000+0530", "2026-07-31T02:30:00Z"),
    (custom(Kind.DATETIME), "2026-07-31T08:00:00.5+02:00", "2026-07-31T06:00:00.500000Z"),
    (custom(Kind.NUMBER), "0", "0"),
    (custom(Kind.NUMBER), "-0", "0"),
    (custom(Kind.NUMBER), "-0.000", "0"),
    (custom(Kind.NUMBER), "0e999", "0"),
    (custom(Kind.NUMBER), "+42", "42"),
    (custom(Kind.NUMBER), "-42", "-42"),
    (custom(Kind.NUMBER), "007", "7"),
    (custom(Kind.NUMBER), "100", "100"),
    (custom(Kind.NUMBER), "1.50", "1.5"),
    (custom(Kind.NUMBER), "1.", "1"),
    (custom(Kind.NUMBER), ".5", "0.5"),
    (custom(Kind.NUMBER), "-00.050", "-0.05"),
    (custom(Kind.NUMBER), "1e3", "1000"),
    (custom(Kind.NUMBER), "1.25E1", "12.5"),
    (custom(Kind.NUMBER), "125e-5", "0.00125"),
    (custom(Kind.NUMBER), "9" * 30, "9" * 30),
    (custom(Kind.NUMBER), "1e29", "1" + "0" * 29),
    (custom(Kind.URL), "http://localhost", "http://localhost"),
]


TIDIED = [
    (USER["username"], "Ada.LOVELACE", "ada.lovelace"),
    (USER["lang"], "EN", "en"),
    (USER["lang"], "en_gb", "en-GB"),
    (USER["lang"], "ZH-hant-tw", "zh-Hant-TW"),
    (USER["lang"], "en_us_k12", "en-US-k12"),
    (USER["lang"], "EN-X-US", "en-x-us"),
    (USER["country"], "nz", "NZ"),
    (USER["country"], "Nz", "NZ"),
    (USER["timezone"], "europe/london", "Europe/London"),
    (USER["timezone"], "utc", "UTC"),
]


BAD = [
    (USER["username"], "ada lovelace", "user.username.invalid"),
    (USER["username"], "ädä", "user.username.invalid"),
    (USER["username"], "İ", "user.username.invalid"),
    (USER["username"], "a\nb", "user.username.invalid"),
    (USER["username"], "a/b", "user.username.invalid"),
    *(
        (USER["email"], text, "user.email.invalid")
        for text in (
            "ada",
            "@acme.test",
            "ada@",
            "a@b@c",
            "ada@acme..test",
            "ada@.test",
            "ada@acme.",
            "ada@-acme.test",
            "ada@acme-.test",
            "ada@acme.-test",
            "ada@ac_me.test",
            "ada@acme.test>",
            "ada @acme.test",
            "ada,eve@acme.test",
            "ada(x)@acme.test",
            "a@b.test\nc@d.test",
            "ada@" + "b" * 64,
            "☃@acme.test",
            "ada@☃.test",
            "ada@\u2028.test",
            "“ada”@acme.test",
        )
    ),
    (USER["suspended"], "maybe", "value.boolean"),
    (USER["suspended"], "2", "value.boolean"),
    (USER["suspended"], "yeſ", "value.boolean"),
    (USER["emailstop"], "on", "value.boolean"),
    *(
        (USER["jobassignmentstartdate"], text, "value.date")
        for text in (
            "2020-02-31",
            "2023-02-29",
            "31/02/2020",
            "0000-01-01",
            "10000-01-01",
            "2026-1-1",
            "26-01-31",
            "2026-13-01",
            "2026-W05",
            "2026-01-31T08:00:00",
            "2026-01-31T00:00:00Z",
            "2026-01-31T24:00:00",
            "45000",
            "today",
            "２０２６-01-31",
            "2026-01-31" * 50_000,
        )
    ),
    *(
        (USER["lang"], text, "value.lang")
        for text in (
            "english",
            "e",
            "en-",
            "en--GB",
            "-en",
            "en.UTF-8",
            "en GB",
            "en-a",
            "ﬁ",
            "C",
            "en" + "-abcdefgh" * 4,
        )
    ),
    *((USER["country"], text, "value.country") for text in ("UK", "XX", "GBR", "G", "ß", "ﬁ", "Germany", "EU", "AN")),
    *(
        (USER["timezone"], text, "value.timezone")
        for text in ("Mars", "London", "GMT+25", "localtime", "Asia/\u212aarachi")
    ),
    *(
        (USER["url"], text, "value.url")
        for text in (
            "acme.test",
            "ftp://acme.test",
            "http://",
            "http:///x",
            "http://?x",
            "http://:80",
            "http://me@/",
            "http://.",
            "http://a..b",
            "http://acme.test/a b",
            "http://acme.test:x",
            "javascript:alert(1)",
            "http:acme.test",
            "http://acme.test\nhttp://acme.test",
        )
    ),
    (custom(Kind.CHECKBOX), "x", "value.boolean"),
    (custom(Kind.MENU), "north", "value.option"),
    (custom(Kind.MENU), "North,South", "value.option"),
    (custom(Kind.MENU, limit=255), "x" * 1000, "value.option"),
    (custom(Kind.MULTISELECT), "North,East", "value.option"),
    (custom(Kind.MULTISELECT), " , ,", "value.option"),
    *(
        (custom(Kind.DATETIME), text, "value.date")
        for text in (
            "2020-02-31T08:00:00",
            "2026-01-31T25:00:00",
            "2026-01-31T24:00:00",
            "2026-01-31x08:00:00",
            "2026-01-31T08:00:00 Europe/London",
            "08:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
        )
    ),
    (custom(Kind.DATETIME), "2026-03-29T01:30:00", "value.date"),  # London put its clocks forward over this time
    *(
        (custom(Kind.NUMBER), text, "value.number")
        for text in (
            "nan",
            "inf",
            "-Infinity",
            "1e999",
            "1e30",
            "1e-31",
            "9" * 31,
            "0" * 100_000,
            "1,000",
            "1 000",
            "1_000",
            "1.2.3",
            "0x10",
            "--1",
            "+",
            ".",
            "e5",
            "E5",
            "1e",
            "٣",
            "½",
            "twelve",
        )
    ),
    (custom(Kind.URL), "x", "value.url"),
]
