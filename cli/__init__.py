"""The command line: `phasegate`, and the stack of processes that `phasegate up` and the demo start."""
