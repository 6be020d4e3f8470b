from __future__ import annotations

from lockgate_proxy.demo.scene import MODEL, SYSTEM, ask, stream


def test_a_bare_text_is_a_users_message() -> None:
    asked = ask(SYSTEM, "Hello.", n=2)
    assert asked == {"model": MODEL, "messages": [dict(SYSTEM), {"role": "user", "content": "Hello."}], "n": 2}
    assert stream("Hello.")["stream"] is True
