"""The demo's story: a stage (stack, service, people), the chapters, the proof and the figures. Started by
scripts/demo."""
