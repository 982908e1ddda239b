"""Programs that are not ours, watched while they run. `session` watches by the kernel's trace,
`polling` without root; both tell `News` of `pairs`; `record` makes the Timeline of what was seen.
"""
