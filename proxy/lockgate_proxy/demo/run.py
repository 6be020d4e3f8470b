"""`lockgate demo`: sets the stage, plays the scenes, and shows how they went."""

from __future__ import annotations

import io
import json
import logging
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from lockgate_proxy.demo.judge import problems
from lockgate_proxy.demo.scene import Scene
from lockgate_proxy.demo.scenes import SCENES
from lockgate_proxy.demo.script import SCRIPTS
from lockgate_proxy.demo.sdk import Client, Wire
from lockgate_proxy.demo.story import Story
from lockgate_proxy.demo.table import show
from lockgate_proxy.demo.upstream import Record, Upstream
from lockgate_proxy.serve import bind, server
from lockgate_proxy.settings import Settings

POLICY = Path(__file__).with_name("demo.yaml")
"""What `default` means here: the shipped default, and a few rules that the scenes need."""

_HOST = "127.0.0.1"
_STOP_WITHIN = 10.0  # seconds
_PATIENCE = {True: 10.0, False: 0.5}
"""Seconds that the upstream waits to be told to stop: long where it has to be, short where a policy may let it talk."""


def run_demo(policy: str = "default", as_json: bool = False) -> int:
    """Play all scenes under `policy`, a path or the name of one. Gives 0 if all went as they should, else 1.

    Under any other policy than the default, only what holds under each is judged. Raises PolicyError.
    """
    known = policy == "default"
    stories = play(str(POLICY) if known else policy, known_policy=known)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter shows its number
    if as_json:
        for story in stories:
            print(json.dumps(story.public()))
    else:
        show(stories, policy="demo, which is default with a few rules more" if known else policy, judged=known)
    return 0 if all(story.ok for story in stories) else 1


def play(policy: str, *, known_policy: bool, scenes: Sequence[Scene] = SCENES) -> list[Story]:
    """Play `scenes` on a stage of their own: an upstream, the proxy under `policy`, and a client, all on this machine."""
    upstream = Upstream(SCRIPTS, patience=_PATIENCE[known_policy])
    played: list[tuple[Scene, Wire, dict[str, Any]]] = []
    with tempfile.TemporaryDirectory(prefix="lockgate-demo-") as folder, _no_noise():
        audit = Path(folder) / "audit.jsonl"
        back = bind(_HOST, 0)
        settings = Settings.read(
            policy=policy,
            upstream=f"http://{_HOST}:{back.getsockname()[1]}/v1",
            port=0,
            audit=audit,
            audit_key=secrets.token_hex(16),
        )
        try:
            proxy, front = server(settings)
        except BaseException:
            back.close()
            raise
        config = uvicorn.Config(upstream.app, lifespan="off", ws="none", access_log=False, log_config=None)
        with _running(uvicorn.Server(config), back), _running(proxy, front):
            client = Client(front.getsockname()[1])
            try:
                played.extend((scene, *client.play(scene)) for scene in scenes)
            finally:
                client.close()
        lines = [json.loads(line) for line in audit.read_bytes().splitlines()]
    by_id = {line["id"]: line for line in lines}
    stories = [_story(*each, upstream.records.get(each[0].name), by_id) for each in played]
    for story in stories:
        story.problems = problems(story, known_policy=known_policy)
    return stories


def _story(
    scene: Scene, wire: Wire, told: dict[str, Any], record: Record | None, audit: dict[str, dict[str, Any]]
) -> Story:
    return Story(
        scene=scene,
        sent=wire.sent,
        received=record.received if record is not None else None,
        said=b"".join(record.said) if record is not None else b"",
        let_go=record is not None and record.let_go,
        got=wire.got,
        status=wire.status,
        headers=wire.headers,
        told=told,
        audit=audit.get(wire.headers.get("x-lockgate-id", ""), {}),
    )


@contextmanager
def _running(running: uvicorn.Server, bound: socket.socket) -> Iterator[None]:
    """A server at work in a thread of its own, until the block ends."""
    bound.listen()  # from here on a client's connection waits for the server to come up
    thread = threading.Thread(target=_guarded(running, bound), daemon=True)
    thread.start()
    try:
        yield
    finally:
        running.should_exit = True
        thread.join(_STOP_WITHIN)


def _guarded(running: uvicorn.Server, bound: socket.socket) -> Callable[[], None]:
    def run() -> None:
        try:
            running.run(sockets=[bound])
        finally:
            bound.close()  # a server that did not come up: nobody waits for it any longer

    return run


@contextmanager
def _no_noise() -> Iterator[None]:
    """The upstream breaks an answer off on purpose; its server would call that an error."""
    log = logging.getLogger("uvicorn.error")

    def wanted(record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()

    log.addFilter(wanted)
    try:
        yield
    finally:
        log.removeFilter(wanted)
