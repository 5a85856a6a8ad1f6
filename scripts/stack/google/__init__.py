"""An in-memory Google Calendar for development and tests: OAuth, Calendar v3, push notifications, and faults on demand.

Start it with `EmulatorServer` (server.py) or `python -m scripts.stack.google`; drive it with `GoogleControl`
(control.py). It knows nothing of the service it exercises: nothing here imports `sync`.
"""
