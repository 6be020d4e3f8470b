"""What the tests of guarded clients share: the policy, and what the model answers."""

from __future__ import annotations

from fakes import LAST_CHUNK, chat_answer, chunk, head, json_answer
from saying import DONE, finish, patterns, plan_of, role, rule, text, words

BOTH = ["prompt", "completion"]
KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=BOTH)
STOP = rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=BOTH)
SEEN = rule("seen", words("aha"), {"flag": {"notice": "Aha."}}, side=BOTH)
PLAN = plan_of(KEYS, STOP, SEEN)
SECRET = "the key is sk-abcd1234"
ANSWER = json_answer(chat_answer(SECRET))
STREAM = [head(), *map(chunk, [role(), text("the key is sk-ab"), text("cd1234, "), finish(), DONE]), LAST_CHUNK]
