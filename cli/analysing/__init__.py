"""
`phasegate analyse …`: the evidence engine on recorded data, offline; no server and no database is asked.

Tables for people, `--json` for scripts. The exit status is the answer: 0 for yes (a threshold, a confidence, a passed
gate), 1 for no, or when a line of the file was broken.
"""

import typer

from cli.analysing import agreement, gate, noninferiority, signals, staffing, threshold

app = typer.Typer(no_args_is_help=True)
app.command("threshold")(threshold.threshold)
app.command("signals")(signals.signals)
app.command("agreement")(agreement.agreement)
app.command("noninferiority")(noninferiority.noninferiority)
app.command("gate")(gate.gate)
app.command("staffing")(staffing.staffing)
