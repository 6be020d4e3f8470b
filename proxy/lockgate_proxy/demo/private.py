"""A scene of what leaves as something else, and comes back as itself; and its script."""

from __future__ import annotations

from lockgate_proxy.demo import samples as of
from lockgate_proxy.demo.answers import Said, Script
from lockgate_proxy.demo.scene import Expect, Scene, stream

PRIVATE = "lock-keeper-private"
"""The model for which the demo's policy hides who a customer is."""

PRIVATE_SCENES = (
    Scene(
        "restored",
        "A customer's address leaves as a pseudonym, and is itself again in the stream",
        Expect("rewrite", kept_back=(of.EMAIL,), shown=(f"to {of.EMAIL}.",), ends=("stop",)),
        stream(f"Confirm the pick-up to {of.EMAIL}, please.", model=PRIVATE),
    ),
)

PRIVATE_SCRIPTS = (Script("confirm the pick-up", (Said("The confirmation has gone to {mail}."),)),)
