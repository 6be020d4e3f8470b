"""Detectors: what looks at texts. `protocol.py` says what one is, `catalog.py` lists them."""
