"""How the report looks, on a screen and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem }
h1 { margin: 0 } h2 { margin-top: 2.2rem; border-bottom: 2px solid #333 }
h3 { margin-bottom: .3rem }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin: .5rem 0 }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0 }
.tile { border: 1px solid #bbb; border-left: 6px solid #888; padding: .5rem .8rem;
  min-width: 9rem; flex: 1 }
.tile b { display: block; font-size: 1.25rem }
.good { border-left-color: #2f855a } .warn { border-left-color: #dd6b20 }
.bad { border-left-color: #c53030 }
.muted { color: #666 } .finding { color: #c53030; font-weight: 600 }
svg text { font: 11px system-ui, sans-serif; fill: #333 }
.charts { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem }
figure { margin: 0 } figcaption { font-size: 13px }
dl { display: grid; grid-template-columns: 12rem 1fr; gap: .2rem 1rem; margin: .5rem 0 }
dt { color: #666 } dd { margin: 0; overflow-wrap: anywhere }
nav a { margin-right: .9rem } .scroll { overflow-x: auto }
@media print { body { margin: 0; max-width: none } nav { display: none }
  h2 { break-after: avoid } figure, tr, .tile { break-inside: avoid } }
"""
