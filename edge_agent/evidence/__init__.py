"""The chained log: alarms, changes, operators' actions, losses, and who signed them.

It lies in ``state_dir/evidence`` and can be checked without this software:

* ``000001.jsonl``, ``000002.jsonl`` ... are its segments: one JSON object a line,
  compact, UTF-8, each line ended by one newline. Keys, in this order: ``number`` (1, 2,
  3 ... through all segments), ``previous`` (hash of the line before, 64 zeros where
  there is none), ``kind``, ``what``, ``subject``, ``date`` (wall clock, UTC), ``at``
  (agent time, ns: its order is certain where clocks are stepped), ``boot`` and ``seq``
  (name the record as in SCADA's messages; 0 for the log's own lines), ``body``.
* The **hash** of a line is SHA-256 over the 64 characters of ``previous`` and the bytes
  of the line without its newline. So no line can be changed, removed, added or moved
  unless all that follow are made anew.
* A **head** is ``{number, hash, date, at, gateway, key, signature}``: how the log
  stood, signed by the gateway (ECDSA P-256 with SHA-256, DER in base64). What is signed
  is the PAE of DSSE, ``DSSEv1 LENGTH TYPE LENGTH TEXT``, with the type of
  `signing.TYPE` and the head's own JSON text without ``,"signature":"..."``.
* Every segment begins with a line of kind ``opening``: its body has the public key and
  a head of all before it. It ends with an ``anchor``: its body is a head of all before
  it. Anchors also come every hour in which something was written, and at a stop.
* ``head.jsonl`` holds the newest two heads. It is written after every group of lines
  and before their records are acknowledged: a log that ends before it was cut.
* ``gateway.pub`` is the key; ``sha256sum gateway.pub`` is its id, the ``key`` of heads.
  Its private half is ``gateway.key``. Whoever is root here can use it: note the id, and
  from time to time a head, somewhere else (the registry's report and the centre do).

Kinds: ``alarm``, ``window`` (what an alarm was computed from), ``event``, ``loss``,
``finding``; the log's own: ``opening``, ``anchor``, ``removal`` (old segments went).

After a crash whatever stands behind the head is cut off: it was not acknowledged, so
the journal hands it out again. A log that was damaged or edited is left as it is; a new
chain begins in a new segment whose opening (``chain broken``) names the place for ever.
A lost key is replaced, and the opening (``key changed``) says so; the new key cannot be
vouched for by the old one, only by people who compare its id.

All of it with Python alone::

    import hashlib, json, pathlib
    previous, number = "0" * 64, 0
    for path in sorted(pathlib.Path("evidence").glob("0*.jsonl")):
        for line in path.read_bytes().splitlines():
            entry = json.loads(line)
            assert entry["previous"] == previous or number == 0, (path, entry["number"])
            assert entry["number"] == number + 1 or number == 0, (path, entry["number"])
            previous = hashlib.sha256(entry["previous"].encode() + line).hexdigest()
            number = entry["number"]
    print(number, previous)  # both stand in the newest line of head.jsonl
"""

from edge_agent.evidence.line import Entry
from edge_agent.evidence.segments import entries, find, window_of
from edge_agent.evidence.signing import Head

__all__ = ["Entry", "Head", "entries", "find", "window_of"]
