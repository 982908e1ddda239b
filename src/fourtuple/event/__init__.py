"""What happened. `model` has the events (no numpy: every program of the lab imports it), `frames`
the frame table, `timeline` the Timeline that holds both; `recording` writes it as pcapng and
`restore` reads that back."""
