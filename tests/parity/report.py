"""What was compared and what was found, as a page for people."""

from .comparison import MESSAGE
from .differences import DIFFERENCES

INTRODUCTION = """\
# Parity of the job queue with native Odoo

The same audience and contents were sent twice from two copies of one database: by Odoo
without the addon and by the job queue, both over SMTP. Everything that arrived and
everything that was left behind in any table was compared, field by field.
"""


class Report:
    """Collects results and writes the page.

    :param path: of the page
    """

    def __init__(self, path):
        self.path = path
        self.results = []

    def add(self, title, judged, comparison, claimed, unexpected):
        """Add a pair's results.

        :param title: what was sent
        :param claimed: see `differences.explain`
        """
        self.results.append((title, judged, comparison, claimed, unexpected))
        self.write()

    def write(self):
        """Write the page anew."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        parts = [INTRODUCTION, self._figures(), self._intended(), self._unexpected()]
        parts += [self._tables(result) for result in self.results]
        self.path.write_text("\n".join(parts), encoding="utf-8")

    def _figures(self):
        rows = [
            (
                title,
                len(judged.mailings),
                len(judged.recipients()),
                len(judged.native.messages),
                len(judged.queue.messages),
                comparison.rows[MESSAGE],
                sum(comparison.rows.values()),
                sum(comparison.values.values()),
            )
            for title, judged, comparison, _claimed, _unexpected in self.results
        ]
        heads = ("sent", "mailings", "recipients", "messages natively")
        heads += ("by the queue", "compared", "rows", "values")
        return "## What was compared\n\n" + table(heads, rows)

    def _intended(self):
        rows = [
            (
                difference.name,
                difference.why,
                sum(len(result[3][difference]) for result in self.results),
            )
            for difference in DIFFERENCES
        ]
        return "## Intended differences\n\n" + table(("what", "why", "values"), rows)

    def _unexpected(self):
        found = [one for result in self.results for one in result[4]]
        lines = "\n".join(f"- `{str(one)}`" for one in found[:50])
        return f"## Unexpected differences: {len(found)}\n\n{lines}"

    def _tables(self, result):
        title, _judged, comparison, _claimed, _unexpected = result
        rows = [
            (name, comparison.rows[name], comparison.values[name])
            for name in sorted(comparison.rows)
            if comparison.rows[name]
        ]
        return f"## Rows on both sides: {title}\n\n" + table(
            ("table", "rows", "values"), rows
        )


def table(heads, rows):
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
