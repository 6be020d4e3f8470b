"""A plain answer: read whole, looked at, decided choice by choice, and sent."""

from __future__ import annotations

import json
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Reading
from lockgate.verdict import Action, Flag, Verdict
from lockgate.wire.document import parse
from lockgate.wire.edit import edit_document, with_note
from lockgate.wire.lens import Dialect, choice_of
from lockgate.wire.raw import edit_raw, read_raw
from lockgate.wire.splice import splice
from lockgate_proxy import problems
from lockgate_proxy.bodies import decode_answer, is_identity
from lockgate_proxy.headers import BODY_DEPENDENT, answer_headers, value_of, without
from lockgate_proxy.upstream import Answer
from lockgate_proxy.visit import Visit, account

UNREADABLE = "unread: unknown"


async def answer_plain(visit: Visit, dialect: Dialect, answer: Answer, prompt: Verdict) -> None:
    """Send the upstream's answer as the policy lets it through. What no edit touches leaves as the bytes that came."""
    assert visit.passage is not None
    context = visit.context
    raw = await answer.read(context.settings.max_answer)
    encoding = value_of(answer.headers, b"content-encoding")
    body = raw if is_identity(encoding) else decode_answer(raw, encoding, context.settings.max_answer)
    came, tokens = body, None
    if visit.logprobs is not None:
        body, tokens = visit.logprobs.answer(body)
    document, reading = _read(dialect, body)
    reading.logprobs = tokens
    if visit.seen is not None:
        visit.seen.answer(document)
    verdict = await visit.passage.answer(reading)
    visit.timings["answer"] = verdict.timings["look"]
    account(visit, verdict)
    if verdict.unavailable:
        visit.outcome = "unavailable"
        context.count("guardrail_unavailable")
        await visit.refuse(problems.unavailable(verdict, visit.id), verdict)
        return
    shown = prompt if prompt.action > verdict.action else verdict
    if verdict.action is Action.REFUSE and not dialect.choices(document):
        # There is no choice to refuse: an unreadable answer, or an error whose text is refused.
        visit.outcome = "refused_answer"
        if answer.status >= 400:
            await visit.refuse(problems.refused_error(verdict, answer.status, answer.headers, visit.id), verdict)
        else:
            await synthetic_answer(visit, dialect, verdict)
        return
    flags = [*prompt.flags, *verdict.flags]
    sent = _edited(visit, dialect, body, document, verdict, flags, shown)
    if verdict.action is Action.REFUSE and isinstance(document, dict) and document.get("error") is not None:
        # Its words are judged with the first choice's, and stand in none.
        sent = splice(sent, {"/error": b"null"})
    if verdict.action is Action.REFUSE and visit.plan.unknown == "refuse":
        # What belongs to no choice, and could not be read.
        sent = splice(sent, {where: b"null" for where in reading.unknown if choice_of(where) is None})
    headers = answer_headers(answer.headers, length=False)
    if sent is came:
        sent = raw
    else:
        headers = without(headers, BODY_DEPENDENT)
    visit.outcome = "refused_answer" if verdict.action is Action.REFUSE else "answered"
    headers.append((b"content-length", str(len(sent)).encode()))
    await visit.respond(answer.status, [*headers, *visit.own_headers(shown)], sent)


def _read(dialect: Dialect, body: bytes) -> tuple[Any, Reading]:
    if not body.strip():
        return None, Reading()  # a redirect, or an answer that says nothing
    try:
        document = parse(body, lenient=True)
        return document, dialect.read_answer(document)
    except WireError as error:
        # The policy's `unknown:` judges it, and its rules see its bare text.
        reading = Reading(segments=read_raw(body))
        reading.unread("")
        reading.skip("", f"{UNREADABLE} ({error.code})")
        return None, reading


def _edited(
    visit: Visit, dialect: Dialect, body: bytes, document: Any, verdict: Verdict, flags: list[Flag], shown: Verdict
) -> bytes:
    assert visit.passage is not None
    refused = {i: verdict.refused_choices[i] for i in range(dialect.choices(document)) if i in verdict.refused_choices}
    edits = [edit for edit in visit.passage.edits(verdict) if choice_of(edit.where) not in refused]
    if document is None:
        return edit_raw(body, edits)
    out = body
    if edits:
        out = edit_document(out, document, edits, dialect.dependants)
    if refused:
        out = dialect.refuse(out, document, refused)
    if (refused or flags) and isinstance(document, dict):
        out = with_note(out, visit.note(shown), flags)
    return out


async def synthetic_answer(visit: Visit, dialect: Dialect, verdict: Verdict) -> None:
    """A refusal in the shape of an answer: of a prompt where the policy says `status: 200`, or of an answer that has no
    choices."""
    assert visit.passage is not None
    said = dialect.refusal(visit.passage.exchange, verdict.message)
    if said is None:
        param = dialect.param(verdict.where) if verdict.side == "prompt" else None
        await visit.refuse(problems.refused_prompt(verdict, param, visit.id), verdict)
        return
    body = {**said, "lockgate": visit.note(verdict)}
    sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(sent)).encode())]
    await visit.respond(200, [*headers, *visit.own_headers(verdict)], sent)
