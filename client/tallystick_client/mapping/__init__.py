"""Foreign audit records become events, by mappings that are data.

    mapping = shipped("cloudtrail")               # or load_mapping(path.read_bytes())
    for number, record in enumerate(...):
        mapped = mapping.apply(record, line=number)

A mapping is a TOML file (`data/*.toml`, or one of the user's own): which members of a
record say who did what to whom.  The engine is the same for all of them, and keeps one
promise: nothing of a record is lost silently.  What went into the event unchanged is
taken out of the rest, the rest goes into `details`, and what does not fit there is
folded or cut and named in `details/mapping`.
"""
