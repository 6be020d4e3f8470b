"""The proxies that are compared: how each is started. See peers.md for what they are set to do.

A peer that is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rig import HERE, HOST, Server, cores, free_port

_NGINX = """
{user}worker_processes 1;
daemon off;
pid {work}/nginx.pid;
error_log {work}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 1000000000;
    upstream model {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen {host}:{port};
        location = /readyz {{ return 200; }}
        location /v1/ {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""
_LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://{upstream}/v1", api_key: sk-benchmark}}
litellm_settings: {{telemetry: false}}
"""
_NEMO = """
models:
  - {{type: main, engine: openai, model: gpt-4o-mini, parameters: {{base_url: "{base}"}}}}
"""


TELEMETRY = ", telemetry"
"""What the name of a proxy with telemetry on ends with."""


def upstream(*, chunks: int = 100, interval: float = 0.01, varied: int = 0) -> Server:
    """The model: on the load's core. With `varied`, each plain answer is another one, of so many tokens."""
    port = free_port()
    command = [
        sys.executable, str(HERE / "upstream.py"), "--port", str(port),
        "--chunks", str(chunks), "--interval", str(interval), "--varied", str(varied),
    ]  # fmt: skip
    return Server("no proxy", command, port, cores()[1])


def bare(model: Server) -> Server:
    port = free_port()
    command = [sys.executable, str(HERE / "bare.py"), "--port", str(port), "--upstream", _base(model)]
    return Server("bare", command, port, cores()[0])


def lockgate(model: Server, policy: str, *, telemetry: bool = False) -> Server:
    """The proxy as it is installed; or with metrics and traces on, one trace in a hundred kept, which go to the model:
    it answers whatever it is asked."""
    port = free_port()
    command = [
        sys.executable, "-m", "lockgate_proxy.cli", "serve", "--policy", policy,
        "--upstream", _base(model), "--port", str(port),
    ]  # fmt: skip
    name = f"lockgate {Path(policy).stem}"
    if not telemetry:
        return Server(name, command, port, cores()[0])
    env = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{model.port}",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    }
    return Server(f"{name}{TELEMETRY}", [*command, "--admin-port", "0"], port, cores()[0], env=env)


def compared(given: argparse.Namespace, model: Server, work: Path) -> list[Server]:
    """Every proxy to compare, not started: bare first. `work` is a folder for their settings."""
    found = [bare(model)]
    for name, make in _PEERS.items():
        if given.only and name not in given.only:
            continue
        server = make(given, model, work)
        if server is None:
            print(f"left out: {name} is not installed", file=sys.stderr)
        else:
            found.append(server)
    found.extend(lockgate(model, policy) for policy in given.policies)
    found.extend(lockgate(model, policy, telemetry=True) for policy in given.policies if given.telemetry)
    return found


def _nginx(_: argparse.Namespace, model: Server, work: Path) -> Server | None:
    # Debian keeps servers in /usr/sbin, which is not on everyone's path.
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        return None
    port = free_port()
    user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
    settings = work / "nginx.conf"
    settings.write_text(
        _NGINX.format(user=user, work=work, upstream=f"{HOST}:{model.port}", host=HOST, port=port), encoding="utf-8"
    )
    return Server("nginx", [program, "-c", str(settings), "-e", str(work / "nginx.log")], port, cores()[0])


def _litellm(given: argparse.Namespace, model: Server, work: Path) -> Server | None:
    program = given.litellm or shutil.which("litellm")
    if program is None:
        return None
    port = free_port()
    settings = work / "litellm.yaml"
    settings.write_text(_LITELLM.format(upstream=f"{HOST}:{model.port}"), encoding="utf-8")
    command = [program, "--config", str(settings), "--host", HOST, "--port", str(port), "--num_workers", "1"]
    env = {
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    return Server("litellm", command, port, cores()[0], "/health/liveliness", env=env)


def _portkey(given: argparse.Namespace, model: Server, _: Path) -> Server | None:
    node = shutil.which("node")
    inside = "node_modules/@portkey-ai/gateway/build/start-server.js"
    program = next((p for p in (Path(given.portkey or HERE.parent, inside),) if p.is_file()), None)
    if node is None or program is None:
        return None
    port = free_port()
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": _base(model)}
    return Server("portkey", [node, str(program), f"--port={port}", "--headless"], port, cores()[0], "/", headers)


def _nemo(given: argparse.Namespace, model: Server, work: Path) -> Server | None:
    program = given.nemo or shutil.which("nemoguardrails")
    if program is None:
        return None
    port = free_port()
    folder = work / "nemo"
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(_NEMO.format(base=_base(model)), encoding="utf-8")
    command = [
        program, "server", "--config", str(folder), "--default-config-id", folder.name,
        "--port", str(port), "--disable-chat-ui",
    ]  # fmt: skip
    env = {"OPENAI_API_KEY": "sk-benchmark", "NEMO_GUARDRAILS_IORAILS_ENGINE": "1"}
    return Server("nemo", command, port, cores()[0], "/v1/rails/configs", env=env)


def _base(model: Server) -> str:
    return f"http://{HOST}:{model.port}/v1"


_PEERS: dict[str, Callable[[argparse.Namespace, Server, Path], Server | None]] = {
    "nginx": _nginx,
    "litellm": _litellm,
    "portkey": _portkey,
    "nemo": _nemo,
}


def interleaved(servers: list[Server], rounds: int) -> Iterator[tuple[int, Server]]:
    """A B C A B C …: what disturbs the machine for a while disturbs all of them."""
    for number in range(rounds):
        for server in servers:
            yield number, server
