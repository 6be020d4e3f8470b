from __future__ import annotations

from lockgate_proxy.demo.answers import reply
from lockgate_proxy.demo.private import PRIVATE, PRIVATE_SCENES, PRIVATE_SCRIPTS


def test_the_model_speaks_of_the_address_that_it_got() -> None:
    [scene], [script] = PRIVATE_SCENES, PRIVATE_SCRIPTS
    assert scene.ask is not None
    assert scene.ask["model"] == PRIVATE
    assert script.cue in scene.ask["messages"][0]["content"].lower()
    asked = {
        "model": PRIVATE,
        "messages": [{"role": "user", "content": "Confirm the pick-up to x7@mail.example, please."}],
    }
    assert b"has gone to x7@mail.example." in b"".join(reply(script, asked).parts)
