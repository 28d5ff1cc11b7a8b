"""The figures as a page and a chart that a person reads."""

from reportlab.graphics import renderSVG
from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.charts.legends import Legend
from reportlab.graphics.shapes import Drawing, String
from reportlab.lib.colors import HexColor

#: The bars of the chart.
RATES = (
    ("native_untuned_rate", "Odoo as it comes"),
    ("native_tuned_rate", "Odoo, tuned"),
    ("ours_rate", "With the queue"),
)
CONTENTS = (("", "plain, 1 kB"), ("_newsletter", "newsletter, 22 kB"))
COLORS = ("#8f8f8f", "#5a5a5a", "#714b67")

#: What the keys of each part mean, in the order of the page.
MEANING = {
    "native_untuned_rate": "emails/s, Odoo as it comes",
    "native_tuned_rate": "emails/s, batches of 500 and two scheduled actions",
    "native_rate": "emails/s, the better of the two",
    "ours_rate": "emails/s, with the queue, four senders",
    "ceiling_rate": "emails/s, two processes that only build and send",
    "ratio_to_native_untuned": "times Odoo as it comes (median of the rounds)",
    "ratio_to_native": "times the better one (median of the rounds)",
    "ratio_to_ceiling": "of the ceiling (median of the rounds)",
    "workers_1_rate": "emails/s, 1 sender",
    "workers_2_rate": "emails/s, 2 senders",
    "workers_4_rate": "emails/s, 4 senders",
    "workers_8_rate": "emails/s, 8 senders",
    "job_of_one_rate": "emails/s, 4 senders, a job for each recipient",
    "cpu_ms_per_email": "ms of processor time an email, PostgreSQL apart",
    "sql_per_email": "SQL statements an email",
    "commits_per_email": "commits an email",
    "calls_per_email": "calls of Python's functions an email",
    "plan_percent": "% of a job's time (profiled): planning",
    "compose_percent": "% composing",
    "permit_percent": "% waiting for a permit",
    "claim_percent": "% claiming",
    "build_percent": "% building the MIME",
    "transmit_percent": "% SMTP",
    "record_percent": "% recording",
    "settle_percent": "% settling",
    "latency_1_rate": "emails/s, 1 sender, 200 ms a message",
    "latency_2_rate": "emails/s, 2 senders, 200 ms a message",
    "latency_4_rate": "emails/s, 4 senders, 200 ms a message",
    "latency_8_rate": "emails/s, 8 senders, 200 ms a message",
    "latency_16_rate": "emails/s, 16 senders, 200 ms a message",
    "scaling_16": "times one sender, by sixteen",
    "plan_rate_10k": "recipients/s planned, audience of 10,000",
    "plan_rate_100k": "recipients/s planned, audience of 100,000",
    "plan_rate_1m": "recipients/s planned, audience of 1,000,000",
    "planner_peak_mb_10k": "MiB at most in the planner, 10,000",
    "planner_peak_mb_100k": "MiB at most in the planner, 100,000",
    "planner_peak_mb": "MiB at most in the planner, 1,000,000",
    "send_returns_seconds": "s until Send returns, 1,000,000",
    "first_email_seconds": "s until the first email has arrived, 1,000,000",
    "worker_rss_growth_mb": "MiB that a worker grows in 100,000 emails",
    "worker_peak_mb": "MiB at most in a worker",
    "permit_us": "µs for a permit of three limits",
    "throttled_rate": "emails/s with limits that do not bind",
    "unthrottled_rate": "emails/s without limits",
    "kanban_seconds": "s from the click to the cards, 100,000 being sent",
    "form_seconds": "s from the click to the mailing with its progress",
    "traces_seconds": "s from the click to those who wait",
    "waiting_while_watched": "recipients who waited when the last screen was opened",
}


def page(figures):
    """Return the Markdown of all figures that there are."""
    lines = [
        "# Rates and costs",
        "",
        "Two processors; PostgreSQL, the mail server and the senders share them.",
        "",
        "| Figure | Plain | Newsletter | Meaning |",
        "| --- | ---: | ---: | --- |",
    ]
    for name, meaning in MEANING.items():
        values = [figures.get(f"{name}{suffix}", "") for suffix, _label in CONTENTS]
        if any(value != "" for value in values):
            plain, newsletter = (_figure(value) for value in values)
            lines.append(f"| `{name}` | {plain} | {newsletter} | {meaning} |")
    return "\n".join([*lines, ""])


def _figure(value):
    return value if value == "" else f"{value:,}"


def chart(figures, path):
    """Draw the rates as bars, if all of them were measured.

    :param path: where the SVG is written
    :return: whether it was
    """
    names = [[f"{name}{suffix}" for suffix, _ in CONTENTS] for name, _label in RATES]
    if not all(name in figures for row in names for name in row):
        return False
    drawing = Drawing(560, 300)
    bars = VerticalBarChart()
    bars.x, bars.y, bars.width, bars.height = 45, 40, 490, 215
    bars.data = [[figures[name] for name in row] for row in names]
    bars.categoryAxis.categoryNames = [label for _suffix, label in CONTENTS]
    bars.valueAxis.valueMin = 0
    bars.barLabelFormat = "%.0f"
    bars.barLabels.dy = 8
    bars.groupSpacing = 20
    for number, color in enumerate(COLORS):
        bars.bars[number].fillColor = HexColor(color)
        bars.bars[number].strokeColor = None
    drawing.add(bars)
    legend = Legend()
    legend.x, legend.y, legend.alignment = 150, 18, "right"
    legend.columnMaximum, legend.deltax = 1, 130
    legend.colorNamePairs = [
        (HexColor(color), label)
        for color, (_name, label) in zip(COLORS, RATES, strict=True)
    ]
    drawing.add(legend)
    drawing.add(String(45, 278, "Emails a second, two processors", fontSize=13))
    renderSVG.drawToFile(drawing, str(path))
    return True
