"""``python -m tests.bench [NAME ...] [--repeats N] [--seconds S] [--out FILE]``."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import ROOT

if TYPE_CHECKING:
    from typing import Any

    from tests.bench.measure import Table

BENCHMARKS = (
    "rows",
    "latency",
    "opcua_rows",
    "opcua_ingest",
    "mqtt_ingest",
    "scoring",
    "monitoring",
    "many",
    "store",
    "drain",
    "flash",
)
_PACKAGES = ("asyncua", "paho-mqtt", "onnxruntime", "numpy", "msgspec")


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [
        ln.partition(":")[2].strip() for ln in info if ln.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def main() -> int:
    """Run what was asked for; exit 1 when a figure misses what is expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out" / "bench.json")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: {BENCHMARKS}")
    results: dict[str, Any] = {"machine": machine(), "seconds": options.seconds}
    tables: list[Table] = []
    failed: list[str] = []
    for name in options.names or BENCHMARKS:
        began = time.monotonic()
        module = importlib.import_module(f"tests.bench.{name}")
        try:
            tables.append(module.run(options.repeats, options.seconds))
        except (RuntimeError, ArithmeticError) as error:
            print(f"{name} failed: {error}", file=sys.stderr)
            results[name] = {"failed": str(error)}
            failed.append(name)
            continue
        results[name] = tables[-1].json() | {"took_s": round(time.monotonic() - began)}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    text = "\n".join(table.text() for table in tables)
    options.out.with_suffix(".md").write_text(text)
    print(text)
    print(f"written: {options.out}", file=sys.stderr)
    met = all(met for t in tables for *_, met in t.verdicts)
    return 0 if met and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
