"""From events to batches: windows, and one hash chain per stream.

`partition.py` is the pure core, with `stream.py` (window and chain), `skips.py` (what is not collected), `state.py`
(what survives) and `effects.py` (what it asks for). The shell: `transport.py` and `scheduler.py` bend Faust,
`reader.py` lets in only what comes next in the log, `writer.py` makes effects durable in their order, `worker.py` owns
partitions, `app.py` wires it all.
"""
