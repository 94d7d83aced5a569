"""How reports look, on a screen and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto;
  max-width: 66rem; padding: 0 1rem }
h1 { margin: 0 } h2 { margin-top: 2.4rem; border-bottom: 2px solid #333 }
h3 { margin: 1.6rem 0 .3rem } h4 { margin: 1rem 0 0 }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin: .5rem 0 }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd;
  vertical-align: top; overflow-wrap: anywhere }
th { color: #444; border-bottom-color: #999 }
td:first-child { min-width: 8rem }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0 }
.tile { border: 1px solid #bbb; border-left: 6px solid #888; padding: .5rem .8rem;
  flex: 1 1 10rem; min-width: 0; overflow-wrap: anywhere }
.tile b { display: block; font-size: 1.25rem }
.good { border-left-color: #2f855a } .warn { border-left-color: #dd6b20 }
.bad { border-left-color: #c53030 }
.muted, .legend { color: #666 } .legend { font-size: 13px }
.finding { color: #c53030; font-weight: 600 } .stated { font-weight: 600 }
.short li:first-child { font-weight: 600 }
.key { display: inline-block; width: 1em; height: .8em; margin-left: .6em }
.then { background: #bbb } .now { background: #2b6cb0 }
svg { max-width: 100%; height: auto }
svg text { font: 11px system-ui, sans-serif; fill: #333 }
.charts { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem }
.pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: start }
.pair > :first-child { flex: 3 1 24rem } .pair > * { flex: 1 1 14rem }
figure { margin: .4rem 0 } figcaption { font-size: 13px }
dl { display: grid; grid-template-columns: 10rem 1fr; gap: .2rem 1rem; margin: .5rem 0 }
dt { color: #666 } dd { margin: 0; overflow-wrap: anywhere }
summary { cursor: pointer } details { margin: .4rem 0 }
nav { border-top: 1px solid #ddd; padding-top: .5rem }
nav a { margin-right: .9rem } .scroll { overflow-x: auto }
@media print { details::details-content { content-visibility: visible }
  body { margin: 0; max-width: none } nav { display: none }
  h2, h3 { break-after: avoid } figure, tr, .tile { break-inside: avoid } }
"""
