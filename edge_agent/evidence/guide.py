"""What an auditor is told in a package."""

README = """\
EVIDENCE OF ONE GATEWAY
=======================

What is in here
  000001.jsonl ...  the log: alarms, what they were computed from, changes of models,
                    configuration and trust, operators' verdicts, clock steps, losses.
                    One JSON object a line. "kind" says what it is.
  gateway.pub       the gateway's public key. Its id is shown by: sha256sum gateway.pub
                    Compare it with the id that was noted when the gateway was set up,
                    or that the centre has. Nothing below is worth more than that.
  gateway-*.pub     keys the gateway had before, if any.
  head.jsonl        how the whole log stood when this was made, signed.
  manifest.json     what was asked for, and sums of the files (sha256sum). Not signed.

With our software
  edge-agent evidence verify FOLDER_OR_TAR --key gateway.pub

Without it: the chain (Python 3, nothing else)
  import hashlib, json, pathlib
  previous, number = None, None
  for path in sorted(pathlib.Path(".").glob("0*.jsonl")):
      for line in path.read_bytes().splitlines():
          entry = json.loads(line)
          if number is not None:
              assert entry["number"] == number + 1, (path, entry["number"])
              assert entry["previous"] == previous, (path, number, "was changed")
          text = entry["previous"].encode() + line
          previous, number = hashlib.sha256(text).hexdigest(), entry["number"]
  print(number, previous)

  One line alone, in a shell (its hash is "previous" of the line that follows):
  line=$(sed -n 7p 000001.jsonl)
  printf '%s%s' "$(printf '%s' "$line" | jq -r .previous)" "$line" | sha256sum

Without it: a signature (jq and openssl)
  The last line of a segment is an anchor: its body says the number and the hash of the
  line before it, signed. The first line of the next one has the same of the anchor.
  line=$(tail -n 1 000001.jsonl)
  printf '%s' "$line" | jq -cj '.body | del(.signature)' > text
  type=application/vnd.edge-agent.evidence-head+json
  printf 'DSSEv1 %d %s %d ' ${#type} $type $(stat -c %s text) | cat - text > signed
  printf '%s' "$line" | jq -r .body.signature | base64 -d > signature
  openssl dgst -sha256 -verify gateway.pub -signature signature signed

What it shows, and what not
  A line that was changed, removed, added or moved breaks the chain at that place, and
  whoever mends the chain must sign it anew with the gateway's key. Whoever had that key
  (root on the gateway) could do so: then only heads that were noted elsewhere show it.
  Compare one: edge-agent evidence verify FOLDER --head NUMBER:HASH
  A line of kind "opening" with "chain broken" was written by the gateway itself when it
  found the log before it damaged; "key changed" when it had lost its key.
  A line of kind "removal" names old lines that were removed as they were too old.
"""
