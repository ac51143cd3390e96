"""Watching what was once shown to be good: detectors, their presets, drift by attribute, and the fleet's false alarms."""
