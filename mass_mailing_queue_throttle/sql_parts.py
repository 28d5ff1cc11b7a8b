# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What statements on a provider's state have in common: its clock, its rates."""

#: Seconds after a reduction in which further refusals are taken for echoes of the
#: rate before it.
REACTION = 3.0

#: A reduced rate grows by this factor for each :data:`RECOVERY_STEP` seconds without
#: a refusal. Gentle, as each step beyond what the provider takes costs refusals.
RECOVERY_FACTOR = 1.1
RECOVERY_STEP = 60.0

# Slots of the counters: seconds a slot, slots that make up the window.
COUNTERS = {"hour": (60, 60), "day": (900, 96)}

# The rate to which refusals have reduced a provider, recovered as far as time allows.
REDUCED = f"""
    state.reduced_rate * {RECOVERY_FACTOR} ^ LEAST(
        floor((clock.now - state.reduced_at) / {RECOVERY_STEP}), 1000)
"""

CLOCK = "(SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8 AS now) clock"


def counter(unit, column):
    """An expression by the bucket's period: ``column`` of the table of counters."""
    cases = " ".join(
        f"WHEN '{period}' THEN {slot if column == 'width' else slots}"
        for period, (slot, slots) in COUNTERS.items()
    )
    return f"CASE {unit} {cases} END"


def reduced_capacity(now):
    """Senders left after the provider refused connections: one more each 5 minutes."""
    return (
        f"COALESCE(state.reduced_capacity + floor(({now} - state.capacity_at) / 300), "
        "state.capacity)::int"
    )
