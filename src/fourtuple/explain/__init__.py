"""Facts -> words. `catalog` has the rules and the findings that connections meet, `segments` a
sentence for every segment, `text` turns messages into a language: every command needs that, and so
nothing here imports numpy.
"""
