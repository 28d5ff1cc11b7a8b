"""Files of contacts that are not what they should be, through Odoo's own import."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from . import campaigns, sending
from .demo.contacts import FIELDS, MODEL, OPTIONS
from .support.ledger import compare
from .support.rpc import RpcError

KNOWN = ("odoo.exceptions.UserError",)
HEADER = b"Name,Email,Mailing Lists\n"

# What a spreadsheet, a scraper or a prankster leaves in a cell.
CELLS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            "ann@example.com",
            "carl@example.com, bob@example.com",
            '"Ann" <ann@example.com>',
            "ann@münchen.example",
            "=cmd|' /C calc'!A0",
            "@SUM(1+1)",
            "{{ object.env.user.login }}",
            "a\r\nBcc: victim@evil.test",
            "<script>alert(1)</script>",
            "x" * 70_000,
            "\ufeffAnn",
            "1e309",
        ]
    ),
)


def to_csv(rows):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, escapechar="\\")
    writer.writerows(rows)
    return stream.getvalue()


FILES = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda data: HEADER + data),
    st.lists(st.tuples(CELLS, CELLS, st.just("Customers")), min_size=1, max_size=5)
    .map(to_csv)
    .flatmap(
        lambda text: st.sampled_from(["utf-8", "utf-16", "latin-1"]).map(
            lambda encoding: (HEADER.decode() + text).encode(encoding, "replace")
        )
    ),
)


class Importer:
    """A marketer's session, and what the import did so far."""

    def __init__(self, scope):
        self.database, self.sink, self.shell, self.mailing_id = sending.prepare(
            scope, 1, step=None
        )
        self.server = scope.server(self.database).start()
        self.rpc = self.server.rpc()
        self.refused = self.imported = 0

    def count(self):
        return self.database.value("SELECT count(*) FROM mailing_contact")

    def try_file(self, content):
        """Import it; all of its contacts or none are there afterwards."""
        before = self.count()
        ids = self.import_file(content)
        assert self.count() - before == len(ids)
        if ids:
            self.imported += 1
        else:
            self.refused += 1

    def import_file(self, content):
        """The calls of the web client; returns the ids, none where it says why not."""
        (number,) = self.rpc.call(
            "base_import.import", "create", [[{"res_model": MODEL}]]
        )
        self.rpc.upload(
            "/base_import/set_file",
            "c.csv",
            content,
            "text/csv",
            id=number,
            model=MODEL,
        )
        preview = self.rpc.call(
            "base_import.import", "parse_preview", [number, OPTIONS]
        )
        if preview.get("error"):
            assert preview["error"].strip()
            return []
        columns = [str(header) for header in preview["headers"]]
        fields = (FIELDS + [False] * len(columns))[: len(columns)]
        try:
            result = self.rpc.call(
                "base_import.import",
                "execute_import",
                [number, fields, columns, {**OPTIONS, **preview["options"]}],
                {"dryrun": False},
            )
        except RpcError as error:
            assert error.name in KNOWN, error
            return []
        assert bool(result["messages"]) != bool(result["ids"]), result
        return result["ids"] or []


@pytest.fixture(scope="module")
def importer(module_scope):
    return Importer(module_scope)


def test_a_file_is_imported_whole_or_refused_in_words(importer):
    """And whoever came in is mailed once, or has a reason not to be."""

    @settings(max_examples=40)
    @given(FILES)
    @example(b"")
    @example(b"\0" * 100)
    @example(HEADER + b"A\0nn,ann@example.com,Customers\n")
    @example(HEADER + b"Ann,ann@example.com\xff\xfe,Customers\n")
    @example(HEADER + b'"Ann,ann@example.com,Customers\n')
    @example(HEADER + b"Ann,good@example.com,Customers\nBob,b@example.com,Nowhere\n")
    @example(HEADER + b"Ann,one@example.com,Customers\n" * 50)
    def check(content):
        importer.try_file(content)

    check()
    assert importer.imported > 5 and importer.refused > 5
    assert not [line for line in importer.server.errors() if "psycopg2" in line]
    # Its scheduled actions would send, too, and write the same rows.
    importer.server.stop()
    importer.shell.run(sending.start, mailing_id=importer.mailing_id)
    importer.shell.run(sending.run_jobs)
    assert campaigns.state(importer.database, importer.mailing_id) == "done"
    verdict = compare(importer.sink, importer.database, importer.mailing_id)
    assert verdict.exactly_once, str(verdict)
