"""Whether a scene went as it should: by the bytes on both sides of the proxy, and by what the client made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lockgate_proxy.demo.story import Story

_DONE = b"data: [DONE]"


def problems(story: Story, *, known_policy: bool) -> list[str]:
    """What is wrong; nothing, if all is well.

    What a scene expects is written for the demo's own policy: `known_policy` says that this one was in force. Some things
    hold under each.
    """
    found = list(_always(story))
    if known_policy:
        found.extend(_expected(story))
    return found


def _always(story: Story) -> Iterator[str]:
    if story.scene.ask is not None and not story.audit:
        yield "there is no audit line under the answer's x-lockgate-id"
    if story.received is None:
        if story.status == 200 and story.action("prompt") != "refuse":
            yield "the upstream was not asked, and nothing says why"
        return
    if story.action("prompt") in {"", "allow", "flag"} and story.received != story.sent:
        yield "no rule edits the prompt, and the upstream received other bytes than were sent"
    back = story.action("prompt") == "rewrite"  # what was masked may have been put back
    edited = story.action("completion") in {"rewrite", "refuse"} or story.told["flags"] or back
    if not edited and not story.told["error"] and story.got != story.said:
        yield "no rule touches the answer, and the user got other bytes than the upstream said"
    if _DONE in story.got and _DONE not in story.said and story.action("completion") != "refuse":
        yield "the stream ends as if it were whole"


def _expected(story: Story) -> Iterator[str]:
    expect = story.scene.expect
    if story.status != expect.status:
        yield f"the status is {story.status}, not {expect.status}"
    for side, action in (("prompt", expect.prompt), ("completion", expect.answer)):
        done = story.action("prompt" if side == "prompt" else "completion")
        if done != action:
            yield f"the verdict on the {side} is {done or 'missing'}, not {action or 'none'}"
    if expect.prompt == "refuse" and story.received is not None:
        yield "the prompt is refused, and the upstream was asked"
    if expect.intact and (story.received != story.sent or story.got != story.said):
        yield "not every byte is as it was"
    yield from _texts(story)
    yield from _ending(story)


def _texts(story: Story) -> Iterator[str]:
    expect = story.scene.expect
    received = _readable(story.received or b"")
    got = "\n".join((_readable(story.got), *story.texts()))
    told = "\n".join(story.texts())
    for number, text in enumerate(expect.kept_back, 1):
        if _in(text, received):
            yield f"the upstream received what should be kept back ({number})"
    for number, text in enumerate(expect.passed_on, 1):
        if not _in(text, received):
            yield f"the upstream did not receive what should be passed on ({number})"
    for number, text in enumerate(expect.taken_out, 1):
        if _in(text, got):
            yield f"the user got what should be taken out ({number})"
    for number, text in enumerate(expect.shown, 1):
        if not _in(text, told):
            yield f"the user did not get what should be shown ({number})"
    for choice in story.told["choices"]:
        for call in choice["calls"]:
            if choice["finish"] == "tool_calls" and not _is_json(call["arguments"]):
                yield f"the arguments of {call['name']} are no longer JSON"


def _ending(story: Story) -> Iterator[str]:
    expect = story.scene.expect
    flags = tuple(flag["name"] for flag in story.told["flags"])
    if flags != expect.flags:
        yield f"the flags are {list(flags)}, not {list(expect.flags)}"
    ends = tuple(choice["finish"] for choice in story.told["choices"])
    if ends != expect.ends:
        yield f"the choices end with {list(ends)}, not {list(expect.ends)}"
    error = story.told["error"] or {}
    if (error.get("code") or "", error.get("param") or "") != (expect.error, expect.param):
        yield f"the client's error is {error.get('code')} on {error.get('param')}, not {expect.error or None}"
    if story.let_go != expect.let_go:
        yield "the upstream was not let go" if expect.let_go else "the upstream was let go"


def _readable(body: bytes) -> str:
    """The bytes as text: as they are, and with JSON's escapes undone, whichever spelling somebody looks for."""
    text = body.decode("utf-8", "backslashreplace")
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    plain = []
    for line in lines or [text]:
        try:
            plain.append(json.dumps(json.loads(line), ensure_ascii=False))
        except ValueError:
            continue
    return "\n".join((text, *plain))


def _in(text: str, place: str) -> bool:
    """Whether `text` is there, in itself or as it stands in a JSON string."""
    return text in place or json.dumps(text, ensure_ascii=False)[1:-1] in place


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
