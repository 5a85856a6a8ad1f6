"""What operators do by hand: `calendar-monitor …`, or `python -m sync.cli …`. Each command asks the jobs
and the store, as the web does for callers, and writes what came of it: for people, or as JSON."""
