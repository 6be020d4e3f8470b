"""What tells a key or a password from its name, a placeholder, or code that reads it from somewhere."""

from __future__ import annotations

import base64
import binascii
import json
import re

from lockgate.detectors.checks import closed, crc_letters, crc_suffix, entropy, opening
from lockgate.detectors.protocol import Spans

_FILLER = re.compile(
    r"[xX]{6}|[*.]{3}|\.\.\.|<|your[\-_]?(?:own|api|key|token|secret|access|app|account|openai)", re.IGNORECASE
)
_FAKE_WORD = re.compile(
    r"your|example|placeholder|token|secret|insert|replace|changeme|goes.?here|api.?key", re.IGNORECASE
)

_CODE = re.compile(
    r"[A-Za-z_$][\w$.]*[(\[]|\$[{(]|\$[A-Z_]+\Z|\$[a-z_]+-?\Z|\{|%[({]|%[A-Za-z_]+%|[(\[<]|[.~]{0,2}/|:[a-z_]+\Z|https?:|"
    r"(?:args|app|body|cls|config|ctx|data|env|event|form|module|options|opts|os|params|process|props|req|request|secrets|"
    r"self|settings|state|this|user|var|vars|local)\.\w|"
    r"(?:[a-z0-9]+_)+(?:password|passwd|pwd|key|token|secret)\Z|(?:password|passwd|pwd)_\w+\Z",
)
_NO_VALUE = re.compile(
    r"(?:required|optional|string|str|none|null|undefined|true|false|password|passwd|secret|changeme|redacted|hidden|"
    r"masked|example|dummy|test|foobar)\d?\Z|required\||nullable\|",
    re.IGNORECASE,
)
_COUNT = re.compile(r"[0-9]{1,3}[^\x00-\x7f]+\Z")
"""How many characters it must have, where no space follows a number: 12文字以上."""
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|ai|co|app|cloud|internal|local)\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)[A-Za-z_]\w*)+\Z", re.ASCII)
"""A name with dots in code: `rsa.RSAPrivateKey`."""
_NAME_WORD = re.compile("key|token|secret|private|public|credential|auth|config", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_QUERY = re.compile(r"&[A-Za-z_]\w*=")

_PEM_BEGIN = re.compile(r"-----BEGIN[ A-Z0-9]{0,48} PRIVATE KEY(?: BLOCK)?-----")
_PEM_FIELD = re.compile(r"(?:\s|\\+[nrt])*(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\n\\]{1,60}")
_PEM_GAP = re.compile(r"(?:\s|\\+[nrt])*")
_PEM_LINE = re.compile(r"[A-Za-z0-9+/=]+")
_PEM_END = re.compile(r"(?:\s|\\+[nrt])*-----END[ A-Z0-9]{1,48}-----")


def plausible(key: str) -> bool:
    """Whether a key with a vendor's form may be one: neither filler nor words instead of characters drawn by chance."""
    if crc_suffix(key):
        return True
    if entropy(key) < 2.8 or _FILLER.search(key):
        return False
    return any(char.isdigit() for char in key) or not _FAKE_WORD.search(key)


def random(key: str) -> bool:
    """`plausible`, where real keys always have digits."""
    return any(char.isdigit() for char in key) and plausible(key)


def varied(key: str) -> bool:
    """Only not the same few characters over and over: for keys whose documented examples are often tried."""
    return entropy(key) >= 2.8


def dense(key: str) -> bool:
    """As many kinds of characters as chance gives a long key, and base64 of an image or a program has not."""
    return entropy(key) >= 4.8 and random(key)


def own_key(key: str) -> bool:
    """A client key of Lockgate's: its last six characters are a checksum of all before them."""
    return crc_letters(key[:-6]) == key[-6:]


def bot_token(key: str) -> bool:
    """A Discord token begins with the bot's number in base64."""
    return _decoded(key.partition(".")[0]).isdigit()


def web_token(key: str) -> bool:
    """A JWT's header (RFC 7515) is a JSON object that names an algorithm; without a third part, the second is an
    object, too."""
    parts = key.split(".")
    try:
        header = json.loads(_decoded(parts[0]))
    except ValueError:
        return False
    return isinstance(header, dict) and "alg" in header and (len(parts) > 2 or parts[1].startswith("eyJ"))


def encoded_key_block(value: str) -> bool:
    """The base64 of a private key's PEM block; its beginning says so."""
    try:
        head = base64.b64decode(value[:80])
    except binascii.Error:
        return False
    return re.match(rb"-----BEGIN[ A-Z0-9]{0,48} PRIVATE KEY", head) is not None


def basic_credentials(value: str) -> bool:
    """HTTP's Basic scheme (RFC 7617): user:password in base64."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in text and text.isprintable()


def _decoded(part: str) -> str:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def password(value: str) -> bool:
    """Whether what follows `password =` is one, and neither a word about it nor code."""
    if (
        _CODE.match(value)
        or _NO_VALUE.match(value)
        or _FILLER.search(value)
        or _COUNT.match(value)
        or len(set(value)) < 3
    ):
        return False
    letters = sum(char.isalpha() for char in value)
    digits = sum(char.isdigit() for char in value)
    if 2 * sum(char.isascii() for char in value) < len(value) and ("." in value or ":" in value):
        return False  # a sentence in a script that puts no space between words
    if digits:
        return letters > 0 or digits == len(value)
    return letters > 0 and any(char in "!@#$%^&*?~+|" for char in value)


def secret(value: str) -> bool:
    """Whether what follows `api_key =` and the like looks drawn by chance."""
    if _UUID.fullmatch(value):
        return plausible(value)
    if _CODE.match(value) or _NO_VALUE.match(value) or _HOST.search(value) or not random(value):
        return False
    if _NAME.match(value) and _NAME_WORD.search(value):
        return False
    if sum(char.isdigit() for char in value) < 2 or not any(char.isalpha() for char in value) or entropy(value) < 3.0:
        return False
    if len(set(value) & set("!@#$%^&*")) > 2:
        return True
    # Words joined by hyphens and a number are a name: one part must have letters and digits mixed.
    return any(
        len(part) >= 8 and any(map(str.isdigit, part)) and any(map(str.isalpha, part))
        for part in re.split(r"[\-_.=]", value)
    )


def credential(value: str) -> bool:
    """Whether the password of a URL is one."""
    return password(value) or (
        len(value) >= 8 and len(set(value)) > 4 and not (_CODE.match(value) or _NO_VALUE.match(value))
    )


def trimmed(text: str, start: int, end: int) -> int:
    """Where a value without quotes ends: before the next field of a query, and before what closes its sentence."""
    query = _QUERY.search(text, start, end)
    if query:
        end = query.start()
    while end > start and text[end - 1] in ".:)]}" and (text[end - 1] in ".:" or not _opened(text, start, end)):
        end -= 1
    return end


def _opened(text: str, start: int, end: int) -> bool:
    return any(bracket in text[start:end] for bracket in "([{")


def key_block(text: str, start: int, end: int) -> Spans:
    """A private key's PEM block: its header, the lines of base64 that follow, and its footer where it is there."""
    first = max(opening(text, start, end), start)
    header = _PEM_BEGIN.match(text, first, end)
    if header is None:
        return ()
    position = header.end()
    while field := _PEM_FIELD.match(text, position, end):
        position = field.end()
    body = last = position
    while True:
        gap = _PEM_GAP.match(text, last, end)
        line = _PEM_LINE.match(text, gap.end() if gap else last, end)
        if line is None:
            break
        short = line.end() - line.start() < 16
        if short and (last == body or not _PEM_END.match(text, line.end(), end)):
            break
        last = line.end()
    if last == body:
        return ()
    footer = _PEM_END.match(text, last, end)
    return ((first, footer.end() if footer else last),)


def fixed(text: str, end: int) -> bool:
    """Whether a key of fixed length ends at `end`: neither a word nor base64 goes on there."""
    return closed(text, end) and (end >= len(text) or text[end] not in "+/")
