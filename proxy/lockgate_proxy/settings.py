"""What `lockgate serve` can be told. How it is told, by a file, the environment and options, is in `effective`."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from lockgate.errors import SettingsError

MIB = 1024 * 1024

_HEADER = r"^[A-Za-z0-9-]{1,64}$"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class WrongSettingsError(SettingsError):
    """Some settings are wrong. `problems` are pairs: which one, and what is wrong with it."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems))


class Settings(BaseModel):
    """The proxy's settings. Made by `Settings.read`, which says in words what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    policy: str = Field(description="The policy file, or the name of one that comes with Lockgate.", min_length=1)
    upstream: str = Field(description="The upstream's OpenAI base URL with its path, as in https://host/v1.")
    host: str = Field("127.0.0.1", description="The address to listen on.", min_length=1)
    port: int = Field(8080, description="The port to listen on; 0 for any free one.", ge=0, le=65535)
    workers: int = Field(1, description="Processes that serve the port together.", ge=1, le=256)
    drain_timeout: float = Field(
        30.0, description="Seconds that exchanges in flight have to end once the proxy is told to stop.", gt=0
    )
    reload_interval: float = Field(
        1.0, description="Seconds between two looks at the policies' files; 0 looks at none.", ge=0, le=86400
    )
    tls_cert: Path | None = Field(
        None, description="File of our certificate and its chain (PEM); with it the port speaks TLS."
    )
    tls_key: Path | None = Field(None, description="File of the certificate's private key (PEM).")
    keys: Path | None = Field(None, description="File of client keys; without one of them nothing is answered.")
    upstream_key_env: str | None = Field(
        None, description="Name of the variable with the upstream's key, sent in place of the client's."
    )
    upstream_key_header: Literal["authorization", "api-key", "x-api-key"] = Field(
        "authorization", description="Header in which the upstream takes its key."
    )
    max_body: int = Field(32 * MIB, description="Largest request body, in bytes, also after decompression.", gt=0)
    max_answer: int = Field(64 * MIB, description="Largest answer that is read whole, in bytes.", gt=0)
    upstream_timeout: float = Field(600.0, description="Seconds until the upstream's answer must begin.", gt=0)
    stream_idle_timeout: float = Field(
        300.0, description="Seconds that the upstream may be silent within an answer.", gt=0
    )
    keepalive_comment: float = Field(
        15.0, description="Seconds between comments that keep a client's stream alive while text is held.", gt=0
    )
    audit: Path | Literal["-"] | None = Field(
        None, description="File for the audit lines; - for standard output; none if unset."
    )
    audit_key: SecretStr | None = Field(
        None, description="Key under which the audit line identifies texts; unset means a new one each start."
    )
    audit_key_file: Path | None = Field(None, description="File that holds the audit key.")
    mask_key: SecretStr | None = Field(
        None, description="Key under which hashes and pseudonyms are made; unset means a new one each start."
    )
    mask_key_file: Path | None = Field(None, description="File that holds the key of masks.")
    tags: tuple[str, ...] = Field((), description="Tags of every exchange, shown to conditions as request.tags.")
    upstream_ca: Path | None = Field(
        None, description="File of certificates (PEM) to trust for the upstream, in place of the system's."
    )
    admin_port: int | None = Field(
        None, description="The admin port, with /metrics and the health checks; none if unset.", ge=0, le=65535
    )
    admin_host: str = Field("127.0.0.1", description="The address that the admin port listens on.", min_length=1)
    models: Path | None = Field(None, description="Folder with model folders of your own, beside the ones that ship.")
    device: Literal["cpu", "gpu"] = Field("cpu", description="What models run on.")
    model_threads: int = Field(1, description="Threads of one run of a model.", ge=1, le=256)
    model_parallel: int = Field(1, description="Runs of a model at once, in each worker.", ge=1, le=64)
    model_endpoint: str | None = Field(
        None,
        description="Address of a server that runs the models instead, by the Open Inference Protocol.",
        min_length=1,
    )
    model_timeout: float = Field(2.0, description="Seconds that a run by that server may take.", gt=0)
    model_key: SecretStr | None = Field(None, description="Key that goes to that server as a bearer token.")
    model_key_file: Path | None = Field(None, description="File that holds that key.")
    model_ca: Path | None = Field(
        None, description="File of certificates (PEM) to trust for that server, in place of the system's."
    )
    judge_url: str | None = Field(
        None, description="OpenAI base URL of the model that judges, where a policy asks one, as in https://host/v1."
    )
    judge_model: str | None = Field(None, description="Name of that model.", min_length=1)
    judge_key: SecretStr | None = Field(None, description="Key that goes to it as a bearer token.")
    judge_key_file: Path | None = Field(None, description="File that holds that key.")
    judge_ca: Path | None = Field(
        None, description="File of certificates (PEM) to trust for it, in place of the system's."
    )
    judge_timeout: float = Field(20.0, description="Seconds that one judgement may take.", gt=0)
    judge_per_minute: int = Field(600, description="Judgements that each worker may ask for in a minute.", ge=1)
    judge_parallel: int = Field(32, description="Judgements that each worker may wait for at once.", ge=1, le=4096)
    country_header: str | None = Field(
        None,
        description="Header in which a trusted door in front says the asker's country, as an ISO 3166 code.",
        pattern=_HEADER,
    )
    tags_header: str | None = Field(
        None,
        description="Header in which a trusted door in front gives tags of the exchange, commas between them.",
        pattern=_HEADER,
    )
    language_header: str | None = Field(
        None, description="Header that says the asker's language: its first tag counts.", pattern=_HEADER
    )
    moderations: Literal["local", "forward"] | None = Field(
        None, description="Who answers /moderations: local (a model here) or forward; unset: local where a model is."
    )
    provider: str = Field(
        "openai",
        description="What telemetry calls the upstream's provider, as gen_ai.provider.name.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Settings from values as a command line gives them. Raises SettingsError: which one, what, what to do."""
        try:
            made = cls(**given)
        except ValidationError as error:
            # The values themselves are left out: a URL or a key may hold a secret.
            said = [(str(e["loc"][0]) if e["loc"] else "settings", _plain(e["msg"])) for e in _problems(error)]
            raise WrongSettingsError(list(dict.fromkeys(said))) from None
        if problems := made.contradictions():
            raise WrongSettingsError(problems)
        return made

    def contradictions(self) -> list[tuple[str, str]]:
        """What does not go together: which setting, and why."""
        found = []
        if (self.tls_cert is None) != (self.tls_key is None):
            missing, other = ("tls_key", "tls_cert") if self.tls_key is None else ("tls_cert", "tls_key")
            found.append((missing, f"is needed beside {other}"))
        if self.audit_key is not None and self.audit_key_file is not None:
            found.append(("audit_key", "give this or audit_key_file, not both"))
        if self.model_key is not None and self.model_key_file is not None:
            found.append(("model_key", "give this or model_key_file, not both"))
        if self.judge_key is not None and self.judge_key_file is not None:
            found.append(("judge_key", "give this or judge_key_file, not both"))
        if (self.judge_url is None) != (self.judge_model is None):
            missing, other = ("judge_model", "judge_url") if self.judge_model is None else ("judge_url", "judge_model")
            found.append((missing, f"is needed beside {other}"))
        if self.judge_url is None:
            of_judge = ("judge_key", "judge_key_file", "judge_ca")
            found += [(name, "is for judge_url, which is not set") for name in of_judge if getattr(self, name)]
        if self.model_endpoint is None:
            # Somebody who gives a key means to have a server, and would be served without it.
            of_server = ("model_key", "model_key_file", "model_ca")
            found += [(name, "is for model_endpoint, which is not set") for name in of_server if getattr(self, name)]
        if self.mask_key is not None and self.mask_key_file is not None:
            found.append(("mask_key", "give this or mask_key_file, not both"))
        if self.audit == "-" and self.workers > 1:
            found.append(("audit", "several workers can't share the standard output; give a file"))
        if self.admin_port and self.admin_port + self.workers - 1 > 65535:
            found.append(("admin_port", f"each of {self.workers} workers needs one of its own, from this one on"))
        if self.upstream_key_env is not None and self.keys is None and not is_loopback(self.host):
            why = "can be reached by others, who would all use the upstream's key"
            found.append(("keys", f"{self.host} {why}: give a file of client keys, or listen on 127.0.0.1"))
        return found

    @field_validator("upstream", "judge_url")
    @classmethod
    def _upstream(cls, url: str | None) -> str | None:
        if url is None:
            return None
        hint = "give the OpenAI base URL with its path, as in https://host/v1"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(f"is not a URL; {hint}") from None
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
            raise ValueError(f"is not a URL; {hint}")
        if parts.scheme not in {"http", "https"}:
            raise ValueError(f"must begin with http:// or https://; {hint}")
        if not parts.hostname or port == 0:
            raise ValueError(f"names no host; {hint}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a name or password; the upstream's key goes into upstream_key_env")
        if parts.query or parts.fragment or url.endswith(("?", "#")):
            raise ValueError(f"must not have a query or fragment; {hint}")
        return url.rstrip("/")

    @field_validator("models")
    @classmethod
    def _folder(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_dir():
            raise ValueError("there is no such folder")
        return path

    @field_validator("model_endpoint")
    @classmethod
    def _endpoint(cls, url: str | None) -> str | None:
        if url is not None and "@" in url:
            raise ValueError("must not hold a name or password; the model server's key goes into model_key_file")
        return url

    @field_validator(
        "upstream_ca",
        "tls_cert",
        "tls_key",
        "keys",
        "audit_key_file",
        "mask_key_file",
        "model_key_file",
        "model_ca",
        "judge_key_file",
        "judge_ca",
    )
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @field_validator("upstream_key_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        if name is not None and not _VARIABLE.fullmatch(name):
            # Not shown: somebody may have put the key itself here.
            raise ValueError("must be the name of an environment variable, which holds the key")
        return name

    @field_validator("audit")
    @classmethod
    def _audit(cls, path: Path | Literal["-"] | None) -> Path | Literal["-"] | None:
        if isinstance(path, Path) and not path.parent.is_dir():
            raise ValueError("its folder does not exist; make it first")
        return path

    @field_validator("audit", mode="before")
    @classmethod
    def _stdout(cls, given: Any) -> Any:
        return "-" if given == Path("-") else given

    @field_validator("audit_key", "mask_key")
    @classmethod
    def _long_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            require_long(key.get_secret_value())
        return key


def require_long(key: str) -> None:
    """Raise ValueError for a key of marks or masks that can be guessed."""
    if len(key.encode()) < 16:
        raise ValueError("is too short to keep texts from being guessed; give 16 bytes or more")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`: an address, or the name localhost."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _problems(error: ValidationError) -> list[Any]:
    return error.errors(include_input=False, include_url=False, include_context=False)


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return "is required" if message == "Field required" else message[:1].lower() + message[1:]
