"""Ordinary code and logs, in which no secret is: some written (`corpus/`), most drawn from a seed. Whatever is found in
them is a false finding, but for what `PERSONAL` says is there: addresses of hosts and people in logs are real ones."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

WRITTEN = Path(__file__).with_name("corpus")

PERSONAL: dict[str, set[str]] = {
    "nginx": {"IP_ADDRESS"},
    "sshd": {"IP_ADDRESS"},
    "routes": {"IP_ADDRESS"},
    "neighbours": {"IP_ADDRESS", "MAC_ADDRESS"},
    "git_log": {"EMAIL_ADDRESS"},
    "python.txt": {"EMAIL_ADDRESS"},
    "settings.txt": {"EMAIL_ADDRESS"},
}
"""Corpus → the kinds of personal data that do stand in it."""

_WORDS = (
    "account", "archive", "batch", "billing", "broker", "buffer", "build", "cache", "catalog", "channel", "client",
    "cluster", "config", "consumer", "cursor", "daemon", "deploy", "digest", "driver", "event", "export", "fetch",
    "filter", "gateway", "handler", "header", "index", "ingest", "invoice", "ledger", "listener", "loader", "lock",
    "logger", "mailer", "manager", "mapper", "metric", "migration", "model", "monitor", "node", "order", "parser",
    "payment", "pipeline", "planner", "policy", "pool", "probe", "producer", "profile", "proxy", "query", "queue",
    "reader", "record", "registry", "report", "request", "router", "runner", "scanner", "schema", "secret", "server",
    "service", "session", "shard", "signer", "socket", "storage", "stream", "table", "task", "tenant", "token",
    "tracer", "user", "validator", "vault", "view", "watcher", "worker", "writer",
)  # fmt: skip
_LEVELS = ("DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "curl/8.5.0",
    "kube-probe/1.29",
    "python-requests/2.32.3",
)
_START = datetime(2025, 3, 1, 6, 25, tzinfo=UTC)


class Draw(random.Random):
    """Drawn parts of which logs and code are made."""

    def word(self) -> str:
        return self.choice(_WORDS)

    def name(self, joint: str = "-", parts: int = 2) -> str:
        return joint.join(self.word() for _ in range(parts))

    def camel(self, parts: int = 2) -> str:
        return "".join(self.word().title() for _ in range(parts))

    def hex(self, length: int) -> str:
        return "".join(self.choices("0123456789abcdef", k=length))

    def alnum(self, length: int) -> str:
        return "".join(self.choices(string.ascii_letters + string.digits, k=length))

    def digits(self, length: int) -> str:
        return self.choice("123456789") + "".join(self.choices(string.digits, k=length - 1))

    def base64(self, size: int) -> str:
        return base64.b64encode(self.randbytes(size)).decode()

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def time(self, line: int) -> datetime:
        return _START + timedelta(seconds=37 * line, microseconds=self.randrange(10**6))

    def ipv4(self) -> str:
        return f"{self.choice(('192.0.2', '198.51.100', '203.0.113'))}.{self.randrange(1, 255)}"

    def ipv6(self) -> str:
        return "2001:db8:" + ":".join(f"{self.randrange(16**4):x}" for _ in range(6))


def nginx(d: Draw, i: int) -> str:
    path = f"/{d.name('/')}?page={d.randrange(40)}&cursor={d.alnum(12)}&v={d.hex(8)}"
    return (
        f'{d.ipv4()} - - [{d.time(i):%d/%b/%Y:%H:%M:%S +0000}] "GET {path} HTTP/1.1" {d.choice((200, 304, 404, 502))} '
        f'{d.randrange(90000)} "https://www.example.com/{d.word()}" "{d.choice(_AGENTS)}" rt=0.{d.randrange(999):03} '
        f"uct=0.001 cs=HIT"
    )


def application(d: Draw, i: int) -> str:
    return (
        f"{d.time(i).isoformat()} {d.choice(_LEVELS)} [{d.word()}-{d.randrange(64)}] c.e.{d.word()}.{d.camel()} - request_id="
        f"{d.uuid()} {d.word()}_id={d.digits(d.randrange(6, 14))} took={d.randrange(4000)}ms {d.word()}={d.choice(('ok', 'retry', 'null'))} "
        f'attempt={d.randrange(5)}/5 etag=W/"{d.hex(32)}"'
    )


def json_lines(d: Draw, i: int) -> str:
    return json.dumps(
        {
            "ts": round(d.time(i).timestamp(), 6),
            "level": d.choice(_LEVELS).lower(),
            "msg": f"{d.word()} {d.word()} finished",
            "trace_id": d.hex(32),
            "span_id": d.hex(16),
            "token_count": d.randrange(4096),
            "session": {"id": d.randrange(10**6), "state": d.word()},
            "secret_ref": f"projects/{d.digits(12)}/secrets/{d.name()}/versions/{d.randrange(9)}",
            "hash": f"sha256:{d.hex(64)}",
        }
    )


def systemd(d: Draw, i: int) -> str:
    return (
        f"{d.time(i):%b %d %H:%M:%S} host-{d.randrange(90)} {d.choice(('systemd[1]', 'kernel', 'dockerd[812]', 'containerd[655]'))}: "
        f"{d.choice(('Started', 'Stopped', 'Reloading', 'Failed to start'))} {d.name()}.service - {d.camel()} "
        f"(invocation {d.hex(32)}, mem {d.digits(9)}, oom_score_adj {d.randrange(1000)})."
    )


def sshd(d: Draw, i: int) -> str:
    return (
        f"{d.time(i):%b %d %H:%M:%S} bastion sshd[{d.randrange(9999)}]: Failed password for invalid user {d.word()} from "
        f"{d.ipv4()} port {d.randrange(1024, 65535)} ssh2: ED25519 SHA256:{d.base64(32).rstrip('=')}"
    )


def kubernetes(d: Draw, i: int) -> str:
    return (
        f'I{d.time(i):%m%d %H:%M:%S.%f} {d.randrange(1, 9999):7} {d.word()}.go:{d.randrange(900)}] "{d.camel()} synced" '
        f'pod="{d.word()}/{d.name()}-{d.hex(9)}-{d.alnum(5).lower()}" podUID="{d.uuid()}" resourceVersion={d.digits(9)} '
        f"image=registry.example.com/{d.name('/')}@sha256:{d.hex(64)}"
    )


def java(d: Draw, i: int) -> str:
    frames = "\n".join(
        f"\tat com.example.{d.word()}.{d.camel(3)}.{d.word()}({d.camel(3)}.java:{d.randrange(900)})" for _ in range(4)
    )
    return (
        f'Exception in thread "pool-{d.randrange(9)}-thread-{d.randrange(99)}" java.lang.IllegalStateException: '
        f"{d.camel()}Token expired at {d.digits(13)}\n{frames}\n\t... {d.randrange(60)} common frames omitted"
    )


def git_log(d: Draw, i: int) -> str:
    return (
        f"commit {d.hex(40)}\nAuthor: {d.word().title()} {d.word().title()} <{d.word()}@example.com>\n"
        f"Date:   {d.time(i):%a %b %d %H:%M:%S %Y} +0100\n\n    {d.camel(1)}: rotate the {d.word()} key, drop {d.name('_')} (#{d.randrange(9999)})\n"
        f"    Reverts {d.hex(8)}. Change-Id: I{d.hex(40)}\n index {d.hex(7)}..{d.hex(7)} 100644"
    )


def ci(d: Draw, i: int) -> str:
    return (
        f"##[group]Run {d.name()}@v{d.randrange(6)}\n{d.time(i).isoformat()}Z env: API_KEY: ***, NPM_TOKEN: ***, TOKEN=***\n"
        f"Cache hit for: Linux-{d.word()}-{d.hex(64)}\n ✓ {d.camel()} ({d.randrange(900)} ms) [{i}/{i + 3}] seed={d.digits(10)}\n"
        f"Uploading artifact {d.name()}-{d.digits(8)}.tar.gz ({d.digits(7)} bytes) digest {d.hex(64)}"
    )


def package_lock(d: Draw, i: int) -> str:
    name = d.name()
    return (
        f'    "node_modules/{name}": {{\n      "version": "{d.randrange(20)}.{d.randrange(40)}.{d.randrange(20)}",\n'
        f'      "resolved": "https://registry.npmjs.org/{name}/-/{name}-{i}.0.1.tgz",\n'
        f'      "integrity": "sha512-{d.base64(64)}"\n    }},'
    )


def cargo_lock(d: Draw, i: int) -> str:
    return f'[[package]]\nname = "{d.name()}"\nversion = "0.{i}.{d.randrange(9)}"\nchecksum = "{d.hex(64)}"\n'


def poetry_lock(d: Draw, i: int) -> str:
    name = d.name("_")
    return f'    {{file = "{name}-{i}.1-py3-none-any.whl", hash = "sha256:{d.hex(64)}"}},\n    {{file = "{name}.tar.gz", hash = "sha256:{d.hex(64)}"}},'


def go_sum(d: Draw, i: int) -> str:
    module = f"example.com/{d.name('/')} v{d.randrange(3)}.{i}.0-2024{d.randrange(10, 12)}01120000-{d.hex(12)}"
    return f"{module} h1:{d.base64(32)}\n{module}/go.mod h1:{d.base64(32)}"


def terraform(d: Draw, i: int) -> str:
    kind, name = d.name("_"), d.name("_")
    return (
        f'  # aws_{kind}.{name}[{i}] will be updated in-place\n  ~ resource "aws_{kind}" "{name}" {{\n'
        f'        id                  = "{d.word()}-{d.hex(17)}"\n      ~ kms_key_id          = "arn:aws:kms:eu-west-1:{d.digits(12)}:key/{d.uuid()}" -> (known after apply)\n'
        f'        master_password     = (sensitive value)\n        source_code_hash    = "{d.base64(32)}"\n'
        f'        secret_arn          = "arn:aws:secretsmanager:eu-west-1:{d.digits(12)}:secret:{d.name("/")}-{d.alnum(6)}"\n    }}'
    )


def sql(d: Draw, i: int) -> str:
    return (
        f"INSERT INTO {d.word()}s VALUES ({i},'{d.uuid()}','{d.name()}',{d.digits(9)},'{d.time(i):%Y-%m-%d %H:%M:%S}',"  # noqa: S608
        f"{d.randrange(10**6) / 100},'ORD-{d.digits(10)}',NULL,x'{d.hex(40).upper()}');"
    )


def table(d: Draw, i: int) -> str:
    return ",".join(
        [str(i), d.uuid(), f"{d.time(i):%Y%m%d%H%M%S}", d.digits(8), f"{d.uniform(-90, 90):.6f}", f"{d.uniform(-180, 180):.6f}",
         f"SKU-{d.digits(7)}", d.word(), str(d.randrange(10**5)), f"{d.random():.16f}"]
    )  # fmt: skip


def hex_dump(d: Draw, i: int) -> str:
    raw = d.randbytes(16)
    shown = "".join(chr(byte) if 32 <= byte < 127 and chr(byte).isalpha() else "." for byte in raw)
    return f"{16 * i:08x}  {raw[:8].hex(' ')}  {raw[8:].hex(' ')}  |{shown}|"


def image(d: Draw, i: int) -> str:
    return (
        f'.icon-{d.word()}-{i} {{ background: url("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAA{d.base64(180)}"); }}'
    )


def minified(d: Draw, i: int) -> str:
    parts = [
        f'function {d.alnum(2)}e(t,n){{var r=t[{d.randrange(99)}],key="{d.word()}",token=n.{d.word()}.token;return r===void 0?'
        f'{d.randrange(9999)}:r.{d.camel()}.apply(this,arguments)}}e.exports={{{d.word()}:"{d.hex(6)}",authToken:this.t,apiKey:e.apiKey}};'
        for _ in range(2)
    ]
    return f"!function(){{{''.join(parts)}}}();//# sourceMappingURL={d.word()}.{d.hex(20)}.js.map"


def routes(d: Draw, i: int) -> str:
    return f"{d.ipv6()}/64 dev eth{i % 8} proto ra metric {d.randrange(2000)} expires {d.randrange(99999)}sec hoplimit 64 pref medium"


def neighbours(d: Draw, i: int) -> str:
    mac = ":".join(d.hex(2) for _ in range(6))
    return f"{d.ipv4()} dev br-{d.hex(12)} lladdr {mac} {d.choice(('REACHABLE', 'STALE', 'DELAY'))} ref {i} used {d.randrange(999)}/{d.randrange(999)}"


def docker(d: Draw, i: int) -> str:
    return (
        f"#{i} sha256:{d.hex(64)} {d.randrange(90)}.{d.randrange(99)}MB / 90.1MB {d.random():.1f}s done\n"
        f'{d.hex(12)}   registry.example.com/{d.name("/")}:{d.hex(7)}   "/{d.word()}.sh --token-file=/run/secrets/{d.word()}"   '
        f"{d.randrange(9)} weeks ago   Up 3 hours   127.0.0.1:{d.randrange(1024, 65000)}->8080/tcp   {d.name('_')}_{i}"
    )


def http(d: Draw, i: int) -> str:
    return (
        f'< HTTP/2 200\n< date: {d.time(i):%a, %d %b %Y %H:%M:%S} GMT\n< etag: "{d.hex(32)}-{i}"\n< x-request-id: {d.uuid()}\n'
        f"< traceparent: 00-{d.hex(32)}-{d.hex(16)}-01\n< cf-ray: {d.hex(16)}-AMS\n< x-amz-version-id: {d.alnum(32)}\n"
        f"< content-security-policy: script-src 'nonce-{d.base64(16)}' 'sha256-{d.base64(32)}'\n> authorization: Bearer [redacted]"
    )


def metrics(d: Draw, i: int) -> str:
    return (
        f'{d.name("_")}_seconds_bucket{{handler="/v1/{d.word()}",le="{d.choice((0.1, 0.5, 1.0, 2.5))}",pod="{d.name()}-{d.hex(10)}"}} '
        f'{d.digits(7)} # {{trace_id="{d.hex(32)}"}} 0.{d.randrange(999)} {d.digits(10)}.{d.randrange(999)}'
    )


def numbers(d: Draw, i: int) -> str:
    return f"{i}\t{d.digits(6)}\t{d.digits(8)}\t{d.random() * 1e4:.4f}\t{d.randrange(100)}%\t{d.time(i):%Y-%m-%dT%H:%MZ}\t{d.digits(5)}-{d.digits(4)}"


def assembly(d: Draw, i: int) -> str:
    return (
        f"  {0x401000 + 7 * i:x}:\t{' '.join(d.hex(2) for _ in range(7))} \t{d.choice(('mov', 'lea', 'cmp', 'add'))}    0x{d.hex(6)}(%rip),%rax"
        f"        # {0x402000 + i:x} <{d.name('_')}+0x{d.hex(2)}>"
    )


def orders(d: Draw, i: int) -> str:
    return (
        f"Order {d.digits(3)}-{d.digits(7)}-{d.digits(7)}, invoice INV-{d.time(i):%Y}-{i:06}, tracking 1Z{d.alnum(16).upper()}, article "
        f"{d.digits(3)}.{d.digits(3)}.{d.digits(2)}, lot L{d.digits(6)}, {d.randrange(99)} pieces at {d.randrange(9999) / 100} EUR, ref #{d.digits(9)}."
    )


DRAWN: tuple[Callable[[Draw, int], str], ...] = (
    nginx, application, json_lines, systemd, sshd, kubernetes, java, git_log, ci, package_lock, cargo_lock, poetry_lock, go_sum,
    terraform, sql, table, hex_dump, image, minified, routes, neighbours, docker, http, metrics, numbers, assembly, orders,
)  # fmt: skip


def drawn(make: Callable[[Draw, int], str], size: int = 12_000) -> str:
    """About `size` characters of one kind, the same in each run."""
    draw = Draw(int(hashlib.sha256(make.__name__.encode()).hexdigest()[:8], 16))
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(make(draw, len(lines) + 1))
        length += len(lines[-1]) + 1
    return "\n".join(lines) + "\n"


def corpora() -> Iterator[tuple[str, str]]:
    """(name, text) of each."""
    for path in sorted(WRITTEN.glob("*.txt")):
        yield path.name, path.read_text(encoding="utf-8")
    for make in DRAWN:
        yield make.__name__, drawn(make)
