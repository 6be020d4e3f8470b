"""A lens for each API of the wire: where its texts stand, and how to change one without touching the rest."""
