"""A marketer's file of contacts, and its way through Odoo's own import."""

import csv

COLUMNS = ("Name", "Email", "Mailing Lists")
FIELDS = ["name", "email", "list_ids"]
MODEL = "mailing.contact"

FIRST_NAMES = (
    "Ada Amélie Björn Chloé Dmitri Elif François Greta Håkon Ines Jürgen Katarzyna "
    "Łukasz Marta Noé Olga Päivi Quentin Rosa Søren Tomáš Ulla Víctor Wanda Yusuf Zoë"
).split()
LAST_NAMES = (
    "Almeida Becker Čapek Dupont Eriksen Fischer García Horváth Ivanov Janssen "
    "Kowalski Lindqvist Martin Novák Öztürk Petrov Rossi Schmidt Tamm Vögel Weiß"
).split()
DOMAINS = 40

# Odoo reads the whole file again for each of its batches, so one file of a million rows
# would be read five hundred times: whoever has that many splits the file.
ROWS_PER_FILE = 50_000

# What the web client sends along with a CSV file that nobody changed a setting for
# (base_import, import_model.js); `limit` is its size of a batch.
OPTIONS = {
    "import_skip_records": [],
    "import_set_empty_fields": [],
    "fallback_values": {},
    "name_create_enabled_fields": {},
    "encoding": "",
    "separator": "",
    "quoting": '"',
    "date_format": "",
    "datetime_format": "",
    "float_thousand_separator": ",",
    "float_decimal_separator": ".",
    "advanced": True,
    "has_headers": True,
    "keep_matches": False,
    "limit": 2000,
    "sheets": [],
    "sheet": "",
    "skip": 0,
    "tracking_disable": True,
}


class ImportFailure(Exception):
    """Odoo refused the file; its messages are in the text."""


def rows(count, list_name):
    """Contacts that differ, and whose addresses nobody has."""
    for number in range(count):
        first = FIRST_NAMES[number % len(FIRST_NAMES)]
        last = LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)]
        domain = f"customers{number % DOMAINS}.example"
        yield f"{first} {last}", f"contact.{number}@{domain}", list_name


def write_files(folder, count, list_name):
    """Write `count` contacts into as many CSV files as they need; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, writer, stream = [], None, None
    for number, row in enumerate(rows(count, list_name)):
        if number % ROWS_PER_FILE == 0:
            if stream:
                stream.close()
            paths.append(folder / f"contacts-{len(paths) + 1}.csv")
            stream = paths[-1].open("w", encoding="utf-8", newline="")
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
        writer.writerow(row)
    if stream:
        stream.close()
    return paths


def import_file(rpc, path, progress):
    """Import one file with the calls that the web client makes.

    :param progress: called with the number of rows after each batch
    :raises ImportFailure: Odoo does not like the file
    """
    content = path.read_bytes()
    rpc.call(MODEL, "get_import_templates")
    number = rpc.call("base_import.import", "create", [{"res_model": MODEL}])
    number = number[0] if isinstance(number, list) else number
    rpc.upload(
        "/base_import/set_file", path.name, content, "text/csv", id=number, model=MODEL
    )
    preview = rpc.call("base_import.import", "parse_preview", [number, OPTIONS])
    if preview.get("error"):
        raise ImportFailure(preview["error"])
    matches = preview["matches"] or {}
    found = ["/".join(matches.get(str(index), [])) for index in range(len(COLUMNS))]
    if found != FIELDS:
        raise ImportFailure(f"{COLUMNS} were taken for {found}")
    options = {**OPTIONS, **preview["options"]}
    columns = [header.strip().lower() for header in preview["headers"]]
    while True:
        result = rpc.call(
            "base_import.import",
            "execute_import",
            [number, FIELDS, columns, options],
            {"dryrun": False},
            context={"tracking_disable": True},
            timeout=600,
        )
        if result["messages"]:
            raise ImportFailure("; ".join(str(row) for row in result["messages"][:3]))
        progress(len(result["ids"]))
        if not result.get("nextrow"):
            return
        options["skip"] = result["nextrow"]
