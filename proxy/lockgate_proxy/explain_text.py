"""An explanation for people: lines of text, in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import ndiff
from typing import Any

from lockgate.explain import edited

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_ACTIONS = {"refuse": "red", "unavailable": "red", "rewrite": "yellow", "flag": "cyan", "allow": "green"}
_OUTCOMES = {"applied": "yellow", "failed": "red", "set aside": "cyan"}
_HOLDS = {
    "nothing": "holds nothing back",
    "match": "holds back what may become a match",
    "window": "holds back the sentence until it was looked at",
    "answer": "holds back the whole answer",
}


class _Pen:
    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: object, *styles: str) -> str:
        codes = ";".join(_CODES[style] for style in styles if style)
        return f"\x1b[{codes}m{text}\x1b[0m" if self._colour and codes else str(text)


def render(report: Mapping[str, Any], *, colour: bool) -> str:
    """The report as text. Control characters of the exchange are shown as escapes: they can't steer the terminal."""
    pen = _Pen(colour=colour)
    lines = [*_policy(report["policy"], pen)]
    if "prompt" in report:
        lines += ["", *_prompt(report["prompt"], pen)]
    if "answer" in report:
        lines += ["", *_answer(report["answer"], pen)]
        lines += ["", *_streamed(report["streamed"], pen)]
    lines += ["", *_classes(report["rules"], pen)]
    return "\n".join(lines)


def _policy(policy: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    yield f"{pen(policy['name'], 'bold')}  {pen(policy['hash'], 'dim')}"
    said = policy["unguarded"]
    paths = said if isinstance(said, str) else ", ".join(f"{way} ({surface})" for surface, way in said.items())
    yield pen(
        f"parts that can't be read: {policy['unknown']} · other paths: {paths} · deadline {policy['deadline_ms']} ms",
        "dim",
    )


def _head(name: str, side: Mapping[str, Any], pen: _Pen) -> str:
    return f"{pen(name, 'bold')}: {pen(side['action'], 'bold', _ACTIONS.get(side['action'], ''))}"


def _prompt(side: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    result = side["result"]
    yield _head("Prompt", side, pen)
    if not result["goes"]:
        yield f"  the client gets {result['status']}: {_safe(result['message'])}; the upstream is not asked"
    elif result["changed"]:
        yield f"  goes to the upstream edited, {result['bytes'][0]} → {result['bytes'][1]} bytes"
    else:
        yield f"  goes to the upstream as it came, {result['bytes'][0]} bytes"
    yield from _body(side, pen)


def _answer(side: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    result = side["result"]
    yield _head("Answer, whole", side, pen)
    if not side["asked"]:
        yield pen("  (the prompt was stopped, so there would be no answer)", "dim")
    size = f", {result['bytes'][0]} → {result['bytes'][1]} bytes" if "bytes" in result else ""
    if not result["goes"]:
        yield f"  the client gets {result['status']}: {result['message']}"
    elif result["changed"]:
        yield f"  goes to the client changed{size}"
    else:
        yield "  goes to the client as it came"
    for choice, message in result.get("refused", {}).items():
        yield f"  choice {choice} ends in content_filter: {_safe(message)}"
    yield from _body(side, pen)


def _body(side: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    yield pen("  places: " + ", ".join(f"{count} {word}" for word, count in side["coverage"].items()), "dim")
    for text in side["texts"]:
        yield from _text(text, side, pen)
    for where, why in side["skipped"].items():
        yield f"  {_safe(where) or '(the whole)'}  {pen(_safe(why), 'dim')}"
    for flag in side["flags"]:
        yield f"  flag {pen(flag['name'], 'cyan')}: {flag['text']}  {pen(flag['rule'], 'dim')}"
    yield pen("  rules", "dim")
    width = max((len(rule["rule"]) for rule in side["rules"]), default=0)
    for rule in side["rules"]:
        colour = _OUTCOMES.get(rule["outcome"], "dim")
        yield f"    {pen(rule['rule'].ljust(width), colour)}  {rule['does'].ljust(16)}  {rule['outcome']}: {rule['why']}"


def _text(text: Mapping[str, Any], side: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    seen = ", ".join(text["looked_by"])
    seen = f"looked at by {seen}" if seen else pen(_safe(text.get("skipped", "")), "dim")
    fixed = ", can't be edited" if text.get("fixed") else ""
    yield f"  {pen(_safe(text['where']), 'blue')}  {text['role']} {text['kind']}, {text['length']} characters{fixed}; {seen}"
    where = text["where"]
    for finding in side["findings"]:
        if finding["where"] == where:
            span = "–".join(map(str, finding["span"])) if finding["span"] else "all of it"
            shown = finding.get("text", finding.get("shape", ""))
            by = f"{finding['detector']}, score {finding['score']:.2f}, {finding['rule']}"
            yield f"    {pen(finding['label'], 'yellow')} {span}  {_safe(shown)}  {pen(by, 'dim')}"
    for failure in side["failures"]:
        if failure["where"] == where:
            yield f"    {pen(failure['reason'], 'red')} of {failure['detector']}  {pen(failure['rule'], 'dim')}"
    mine = [edit for edit in side["edits"] if edit["where"] == where]
    for edit in mine:
        puts = _safe(edit["puts"]) or "nothing"
        yield f"    {edit['span'][0]}–{edit['span'][1]} becomes {pen(puts, 'green')}  {pen(edit['rule'], 'dim')}"
    if "text" in text:
        yield from _difference(text["text"], edited(text["text"], where, mine), pen)


def _difference(before: str, after: str, pen: _Pen) -> Iterator[str]:
    if before == after:
        yield from (f"      {_safe(line)}" for line in before.splitlines())
        return
    colours = {"- ": "red", "+ ": "green"}
    for line in ndiff(before.splitlines(), after.splitlines()):
        if not line.startswith("? "):
            yield f"    {pen(line[:2] + _safe(line[2:]), colours.get(line[:2], ''))}"


def _streamed(side: Mapping[str, Any], pen: _Pen) -> Iterator[str]:
    yield _head("Answer, streamed", side, pen)
    for end in side["choices"]:
        midway = " in the middle" if end["stopped_midway"] else ""
        message = f": {_safe(end['message'])}" if end.get("message") else ""
        yield f"  choice {end['choice']} ends {'' if end['ends'] == 'as it came' else 'with '}{end['ends']}{midway}{message}"
    for text in side["texts"]:
        changed = ", changed" if text["changed"] else ""
        yield (
            f"  {pen(_safe(text['where']), 'blue')}  {text['left']} of {text['came']} characters leave{changed}, "
            f"{text['left_before_the_end']} of them before the end; at most {text['most_held']} held back"
        )
        if "text" in text:
            yield from (f"      {_safe(line)}" for line in text["text"].splitlines())


def _classes(rules: Sequence[Mapping[str, Any]], pen: _Pen) -> Iterator[str]:
    yield f"{pen('In a stream', 'bold')}, each rule"
    streamed = [rule for rule in rules if rule["stream"] is not None]
    width = max((len(rule["rule"]) for rule in streamed), default=0)
    for rule in streamed:
        held = rule["stream"]
        most = f", {held['characters']} characters at most" if held["characters"] else ""
        after = "; comes after the text" if held["class"] == "after" else ""
        what = f"{_HOLDS[held['holds']]}{most}{after}"
        place = f"  {pen(rule['at'], 'dim')}" if rule["at"] else ""
        yield f"  {rule['rule'].ljust(width)}  {held['class'].ljust(6)}  {what}{place}"
    if not streamed:
        yield pen("  none looks at answers", "dim")


def _safe(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
