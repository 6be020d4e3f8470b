"""`POST /moderations`: answered here, by a text model, in OpenAI's shape; or guarded and forwarded, as the settings say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from lockgate.coverage import Coverage
from lockgate.detectors.model import MODELS, TEXT
from lockgate.detectors.protocol import OverloadError
from lockgate.errors import PolicyError, WireError
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.verdict import Finding, Verdict
from lockgate.wire.document import parse
from lockgate.wire.inputs import ModerationsLens
from lockgate.wire.lens import Dialect, RequestReading
from lockgate_models.errors import BackendError
from lockgate_proxy import problems
from lockgate_proxy.admit import Receive, Scope, Send, read_body
from lockgate_proxy.handle import handle
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context, Visit

if TYPE_CHECKING:
    from lockgate.scoring.moderation import Moderated, Moderator

_log = logging.getLogger("lockgate.proxy")

DIALECT = ModerationsLens()
DETECTOR = "moderations"
"""What coverage and findings call it."""
LONGEST = 500_000
"""Characters of all texts of a request together."""
_RUNTIME = ("numpy", "onnxruntime", "pycld2", "tokenizers")
_FAR_RUNTIME = ("numpy", "pycld2", "tokenizers")


async def handle_moderations(dialect: Dialect, context: Context, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, or guard and forward."""
    await handle(dialect, context, scope, receive, send, _answer if is_local(context.settings) else None)


def is_local(settings: Settings) -> bool:
    """Whether moderations are answered here: as the setting says; without one, where there is a model and what runs it."""
    if settings.moderations is not None:
        return settings.moderations == "local"
    runtime = _FAR_RUNTIME if settings.model_endpoint else _RUNTIME
    if any(find_spec(name) is None for name in runtime):
        return False
    from lockgate_models.places import folders, models

    return any(folder.name == TEXT for folder in models(folders(MODELS.places)))


async def _answer(visit: Visit, dialect: Dialect, scope: Scope, receive: Receive) -> None:
    body = await read_body(receive, scope["headers"], visit.context.settings.max_body)
    document = parse(body.plain)
    reading = dialect.read_request(document)
    passage = _remembered(visit, dialect, reading)
    texts = _texts(document["input"])
    if sum(len(text) for text in texts if text is not None) > LONGEST:
        raise WireError(
            f"the texts have more than {LONGEST} characters together; send them in several requests",
            where="/input",
            code="string_above_max_length",
        )
    try:
        moderator = await _moderator()
        found = iter(await moderator.moderate([text for text in texts if text is not None]))
    except PolicyError as error:
        _log.error("moderations can't be answered: %s", error)
        await _unavailable(visit, problems.moderations_unavailable(visit.id))
        return
    except BackendError:
        _log.error("moderations can't be answered: a run of the model failed")
        await _unavailable(visit, problems.moderations_unavailable(visit.id))
        return
    except OverloadError:
        await _unavailable(visit, problems.moderations_unavailable(visit.id, passing=True))
        return
    results = [None if text is None else next(found) for text in texts]
    verdict = _verdict(visit, moderator, reading, results)
    passage.verdicts["prompt"] = verdict
    visit.unverified = verdict.unverified
    visit.outcome = "answered"
    sent = to_json(
        {
            "id": f"modr-{visit.id}",
            "model": moderator.name,
            "results": [_result(one) for one in results],
            "lockgate": {
                "id": visit.id,
                "thresholds": moderator.thresholds,
                "missing": moderator.missing,
                "skipped": reading.skipped,
            },
        }
    )
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(sent)).encode())]
    await visit.respond(200, [*headers, *visit.own_headers(verdict)], sent)


def _remembered(visit: Visit, dialect: Dialect, reading: RequestReading) -> Passage:
    """The exchange, for the audit line. No rule of the policy looks at it: nothing of it leaves."""
    context = visit.context
    caller = context.caller
    subject = replace(reading.subject, tags=caller.tags, tenant=caller.tenant, key=caller.key)
    marker = context.audit.marker if context.audit is not None else None
    passage = Passage(context.plan, Exchange(visit.id, dialect.dialect, subject), marker=marker)
    passage.exchange.prompt = reading.segments
    visit.passage = passage
    return passage


async def _moderator() -> Moderator:
    """The model is loaded by the first one who asks. Raises PolicyError."""
    try:
        from lockgate.scoring.moderation import Moderator
    except ImportError as error:
        raise PolicyError(
            f"the package {error.name or '?'} is not installed", hint="pip install 'lockgate[cpu]'"
        ) from None
    model = MODELS.named(TEXT)
    if model.loaded is None:
        await asyncio.to_thread(model.classifier)
    return Moderator(model)


async def _unavailable(visit: Visit, problem: problems.Problem) -> None:
    visit.outcome = "unavailable"
    visit.context.count("moderations_unavailable")
    await visit.refuse(problem)


def _texts(given: Any) -> list[str | None]:
    """The text of each result: of parts there is one result, of their texts together, and None where there is no text."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(one, str) for one in given):
        return list(given)
    texts = [part["text"] for part in given if part.get("type") == "text"]
    return ["\n".join(texts) if texts else None]


def _result(found: Moderated | None) -> dict[str, Any]:
    """One result. What is not known is null: a category that is missing, and all where there was no text to read."""
    from lockgate.scoring.moderation import CATEGORIES

    scores = found.scores if found is not None else {}
    over = found.over if found is not None else {}
    shown: dict[str, Any] = {
        "flagged": any(over.values()) if over else None,
        "categories": {name: over.get(name) for name in CATEGORIES},
        "category_scores": {name: scores.get(name) for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] if name in scores else [] for name in CATEGORIES},
        "lockgate": {
            "labels": found.labels if found is not None else {},
            "unverified": found is not None and found.unverified,
        },
    }
    return shown


def _verdict(
    visit: Visit, moderator: Moderator, reading: RequestReading, results: Sequence[Moderated | None]
) -> Verdict:
    plan = visit.plan
    read = [segment.where for segment in reading.segments if segment.kind == "text"]
    skipped = {segment.where: "link: not text" for segment in reading.segments if segment.kind == "link"}
    several = len(results) > 1
    return Verdict(
        "prompt",
        plan.policy,
        plan.hash,
        findings=[
            Finding(DETECTOR, label, score, f"/input/{i}" if several else "/input")
            for i, one in enumerate(results)
            if one is not None
            for label, score in one.labels.items()
        ],
        coverage=Coverage(dict.fromkeys(read, (DETECTOR,)), {**skipped, **reading.skipped}),
        models=(moderator.name,),
        unverified=sum(one is not None and one.unverified for one in results),
    )
