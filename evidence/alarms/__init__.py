"""Watching what was once shown to be good: detectors, their presets, drift by attribute, false alarms of a fleet."""
