"""What the tests of pattern detectors share: a look at a text, and texts in which there is nothing to find."""

from __future__ import annotations

import json

from lockgate.detectors.protocol import PatternDetector
from lockgate.detectors.regex import prepare
from lockgate.detectors.scanner import Scanner

Found = list[tuple[str, str]]


class Looker:
    """A detector with its rows compiled once."""

    def __init__(self, detector: PatternDetector) -> None:
        self.detector = detector
        self._scanner = Scanner(detector.specs)

    def __call__(self, text: str) -> Found:
        """(label, matched text) of all findings, in the order of the text."""
        matches = self._scanner.scan(text).matches
        assert not any(match.too_wide for match in matches)
        return [(self.detector.specs[match.spec].label, text[match.start : match.end]) for match in matches]

    def in_pieces(self, text: str, at: int) -> Found:
        """The same, when the text comes in two pieces."""
        first = self._scanner.scan(text[:at], final=False)
        second = self._scanner.scan(text, start=first.cut)
        matches = [*first.matches, *second.matches]
        return [(self.detector.specs[match.spec].label, text[match.start : match.end]) for match in matches]


def widths(detector: PatternDetector) -> dict[str, int]:
    """Label → the most characters that one of its rows can match."""
    widest: dict[str, int] = {}
    for spec in detector.specs:
        form = prepare(spec.regex, max_width=spec.max_width, ignore_case=spec.ignore_case, folded=spec.view == "folded")
        widest[spec.label] = max(widest.get(spec.label, 0), form.width)
    return widest


PROSE = (
    "It was the best of times, it was the worst of times; 1775 was a year like 1776, and 12 people saw it at 10:30.",
    "The ticket costs $1,299.99 (was $1,499.00), a saving of 13.3 % on 2,048 units; call it 1.5 million in 2024-25.",
    "Flight BA 2490 leaves at 18:45 on 03/11/2024 from gate B42; seat 14A, booking reference QX7P2M.",
    "See section 4.2.1.3 and figures 3.2.4.1 to 3.2.4.9; version 1.2.3.4 fixed it, as did release 10.4.0.17.",
    "Between 2019-05-01 and 2024-12-31 the index rose from 3,141.59 to 4,096.00, that is by 30.4 per cent.",
    "My password is required again each week, and the secret is patience. A token of thanks: one bearer bond.",
    "The password must have 8-20 characters. Password: see below. API key: ask your administrator for one.",
    "In Room 101 there are 24 chairs, 6 tables and 365 books; the lottery numbers were 4 8 15 16 23 42.",
    "Pi is 3.14159265358979323846, e is 2.71828182845904523536 and the golden ratio 1.61803398874989484820.",
    "She ran 42.195 km in 3:05:12, he in 2:59:59.9. The ISBN is 978-0-306-40615-7, the EAN 4006381333931.",
    "The years 2001 2003 2005 2007 2009 were dry; 1998-2002 was wet. Chapters 12-14, pages 233-377 and 610-987.",
    "Mail us @example on the usual networks, or meet at 5 @ the cafe; tickets are 2@15 euros.",
    "Die Größe beträgt 1.234.567,89 m². Le prix est de 1 234 567,89 € hors taxe. 価格は12,345円です。",
    "Coordinates 52.520008, 13.404954 and +37.774929, -122.419416; altitude +1234.5 m; UTC+01:00.",
)

CODE = (
    "for i in range(10_000):\n    total += prices[i] * 1.0825  # 8.25 % tax\n    print(f'{total:.2f}')",
    "password = getpass.getpass('Password: ')\napi_key = os.environ['OPENAI_API_KEY']\ntoken = settings.api_token_v2",
    'client = OpenAI(api_key=os.getenv("OPENAI_API_KEY"), base_url="http://localhost:8080/v1")',
    "def login(username: str, password: str) -> Token:\n    return hash_password(password, salt=self.password_salt1)",
    "export DB_PASSWORD=${DB_PASSWORD_2024}\nexport API_KEY=$(vault read -field=key secret/data/app1)",
    "password: {{ vault_db_password_1 }}\nsecret_key: '%(SECRET_KEY_2)s'\ntoken: <your-token-1234567890>",
    "api_key: your-api-key-here-1234567890\npassword=********\napi_key=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    '{"password": "required|string|min:8|max:20", "token": null, "secret": true, "next_page": "3"}',
    "let v: u32 = f64::from(3u8) as u32; std::vector<int> a; dead::beef(f32::EPSILON); f64::add(1.0, 2.0);",
    "@app.route('/users/<id>')\n@decorator\nscores = q@k.transpose(-2, -1)\nimg = 'icon@2x.png'",
    "git clone git@github.com:org/repo.git && pip install requests==2.31.0 && npm i lodash@4.17.21",
    "SELECT id, total FROM orders WHERE created_at > '2024-01-15T10:30:00Z' AND total > 1000000 LIMIT 50;",
    "const re = /^[0-9]{4}-[0-9]{2}$/; if (x === 0x7fffffff) { return 1e-9; } // 2147483647 4294967296",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36",
    "margin: 0 auto 12px; color: #a1b2c3; background: url(img/bg-1200x630.png); z-index: 9999; class='sk-fade-in-12'",
    "assert mask == '255.255.255.0'; bind 127.0.0.1:8080; listen 0.0.0.0; route 10.0.0.0/8; oid 1.3.6.1.4.1.311.2",
    "max_tokens: 4096, temperature: 0.7, top_p: 0.95, seed: 1234567890, presence_penalty: 0, n: 2",
    "type: kubernetes.io/tls\nsecretName: my-app-tls-2024\nsecret: prod-db-password-2024\ntoken: staging-deploy-token-1",
)

MACHINE = (
    "2024-01-15T10:30:00.123456Z INFO request_id=7f3c9a52 took 1234 ms status=200 bytes=1048576 pid=31337",
    "2024-01-15 10:30:00,123 [pool-3-thread-12] WARN retry 3/5 in 1500 ms; epoch 1705314600 1705314600123456",
    "550e8400-e29b-41d4-a716-446655440000 01HM3QZ8Y4T5V6W7X8Y9Z0A1B2 0192d3c4-b5a6-7f80-9a1b-2c3d4e5f6071",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8\nMerge: d670460 b4c0a1e\nindex 83baae6..e69de29 100644",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 d41d8cd98f00b204e9800998ecf8427e",
    "sha512-9tG6JkGcoBo2k0ztCVbVMIoGyuuoR0iBXkq0YBtBbvR8a3Tq9vYmEIBy1B9i9ZvKNNnSQwHQzCMD9yP/nXpV5g==",
    (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljN"
        "BAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
    ),
    "lo: 00:00:00:00:00:00 mtu 1500; EUI-64 00:11:22:33:44:55:66:77; 12:30:45 up 10 days, 3:02, load 0.52 0.58 0.59",
    "order 112-3456789-1234567 invoice INV-2024-000123 tracking 1Z999AA10123456784 SKU 8412345-0078",
    "[0.4532015112830366, 4.532015112830366, 0.5555555555554444, 1e-16, 453.2015112830366]",
    "rows 4821 5903 1029 4857 2230 9911 4408 7716 5120 3391 6602 5574 4937 1284; total 70,875",
    "chr1\t4111222\t4111333\trs123456\t0.05\nchr2\t5112233\t5112299\trs654321\t0.01",
    "go1.21.5 linux/amd64 python3.11.6 node-v20.10.0 kernel 6.1.0-17-amd64 driver 31.0.101.4502 build 10.0.19041.1",
    'ETag: "5d8c72a5edda8d6a:3239" Content-Length: 20480 X-Request-Id: 4bf92f3577b34da6a3ce929d0e0e4736',
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    json.dumps({"id": "chatcmpl-9XyZ1aBcD2eFgH3iJkL4mNoP5qRsT", "created": 1705314600, "fp": "fp_44709d6fcb"}),
)

CLEAN = PROSE + CODE + MACHINE
"""No secrets and no personal data in these."""
