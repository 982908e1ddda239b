"""Findings and timeline -> View -> text for people, JSON for machines. Pure: only the command line
prints. `summary.report` is the whole report, `header.frame_report` one frame to the bit, `jsonout`
the output contract, `build.build_view` the View that every drawing is made from.
"""
