"""What `lockgate serve` can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from lockgate.errors import SettingsError

MIB = 1024 * 1024


class Settings(BaseModel):
    """The proxy's settings. Made by `Settings.read`, which says in words what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    policy: str = Field(description="The policy file, or the name of one that comes with Lockgate.", min_length=1)
    upstream: str = Field(description="The upstream's OpenAI base URL with its path, as in https://host/v1.")
    host: str = Field("127.0.0.1", description="The address to listen on.", min_length=1)
    port: int = Field(8080, description="The port to listen on; 0 for any free one.", ge=0, le=65535)
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
    tags: tuple[str, ...] = Field((), description="Tags of every exchange, shown to conditions as request.tags.")
    upstream_ca: Path | None = Field(
        None, description="File of certificates (PEM) to trust for the upstream, in place of the system's."
    )
    admin_port: int | None = Field(
        None, description="The admin port, with /metrics and the health checks; none if unset.", ge=0, le=65535
    )
    admin_host: str = Field("127.0.0.1", description="The address that the admin port listens on.", min_length=1)
    provider: str = Field(
        "openai",
        description="What telemetry calls the upstream's provider, as gen_ai.provider.name.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Settings from values as a command line gives them. Raises SettingsError: which one, what, what to do."""
        try:
            return cls(**given)
        except ValidationError as error:
            # The values themselves are left out: a URL or a key may hold a secret.
            said = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {_plain(e['msg'])}" for e in _problems(error)]
            raise SettingsError("; ".join(dict.fromkeys(said))) from None

    @field_validator("upstream")
    @classmethod
    def _upstream(cls, url: str) -> str:
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
            raise ValueError(
                "must not hold a name or password; clients send their own Authorization, which is passed on"
            )
        if parts.query or parts.fragment or url.endswith(("?", "#")):
            raise ValueError(f"must not have a query or fragment; {hint}")
        return url.rstrip("/")

    @field_validator("upstream_ca")
    @classmethod
    def _upstream_ca(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError("there is no such file; give a file of PEM certificates")
        return path

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

    @field_validator("audit_key")
    @classmethod
    def _audit_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().encode()) < 16:
            raise ValueError("is too short to keep texts from being guessed; give 16 bytes or more")
        return key


def _problems(error: ValidationError) -> list[Any]:
    return error.errors(include_input=False, include_url=False, include_context=False)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
