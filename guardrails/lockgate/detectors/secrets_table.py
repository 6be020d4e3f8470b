"""The forms of vendors' keys, and the words that stand before those that have no form of their own.

Lengths have a least where a vendor has changed them, or where examples in circulation differ from what is issued: a
distinctive beginning is proof enough. They have no most, since half of a key that is taken out is a key that is not:
what goes on past the row's width is a failure. Sources: the vendors' documentation of their key formats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.detectors import secrets_checks as check

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is known by its form. `fixed`: the key's end must be a word's end, too."""

    label: str
    regex: str
    check: Check = check.plausible
    fixed: bool = False
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Named:
    """A value that is known by what stands before it: `regex` has it as its group."""

    label: str
    regex: str
    check: Check = check.plausible
    fixed: bool = True
    score: float = 0.9


_URL = r"[A-Za-z0-9_\-]"
_SET = r"""["'`\]\\]{0,3}\s{0,3}(?::=|=>|={1,3}|[:,>]|is )?\s{0,3}["'`\\]{0,3}"""
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WORD = r"(?:\b|_|\\[nrt])"

KEYS: tuple[Key, ...] = (
    # Language models
    Key("OPENAI_API_KEY", rf"sk-(?:proj|svcacct|admin|None)-{_URL}{{20,}}", check.random),
    Key("OPENAI_API_KEY", r"sk-[A-Za-z0-9]{20,}"),
    Key("ANTHROPIC_API_KEY", rf"sk-ant-(?:(?:api|admin|oat|ort|sid)[0-9]{{2}}-)?{_URL}{{20,}}", check.random),
    Key("OPENROUTER_API_KEY", r"sk-or-(?:v1-)?[0-9a-f]{32,}"),
    Key("LANGFUSE_SECRET_KEY", rf"sk-lf-{_UUID}"),
    Key("GROQ_API_KEY", r"gsk_[A-Za-z0-9]{32,}"),
    Key("XAI_API_KEY", r"xai-[A-Za-z0-9]{40,}"),
    Key("PERPLEXITY_API_KEY", r"pplx-[A-Za-z0-9]{32,}"),
    Key("REPLICATE_API_TOKEN", r"r8_[A-Za-z0-9]{32,}", check.random),
    Key("HUGGINGFACE_TOKEN", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Key("CEREBRAS_API_KEY", r"csk-[a-z0-9]{40,}", check.random),
    Key("NVIDIA_API_KEY", rf"nvapi-{_URL}{{40,}}", check.random),
    Key("PINECONE_API_KEY", r"pcsk_[A-Za-z0-9_]{40,}", check.random),
    Key("TAVILY_API_KEY", r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{20,}", check.random),
    Key("LANGSMITH_API_KEY", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Key("ELEVENLABS_API_KEY", r"sk_[0-9a-f]{48}", fixed=True),
    # Clouds
    Key("AWS_ACCESS_KEY_ID", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}", check.varied, fixed=True),
    Key("GOOGLE_API_KEY", rf"AIza{_URL}{{30,}}"),
    Key("GOOGLE_OAUTH_CLIENT_SECRET", rf"GOCSPX-{_URL}{{20,}}"),
    Key("GOOGLE_OAUTH_TOKEN", rf"ya29\.{_URL}{{30,}}", check.random),
    Key("GOOGLE_OAUTH_TOKEN", rf"1//0[0-9A-Za-z]{_URL}{{40,}}", check.random),
    Key("AZURE_CLIENT_SECRET", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}"),
    Key("ALIBABA_ACCESS_KEY_ID", r"LTAI[A-Za-z0-9]{16,24}", check.random, fixed=True),
    Key("DIGITALOCEAN_TOKEN", r"do[opr]_v1_[0-9a-f]{64}", fixed=True),
    Key("HEROKU_API_KEY", rf"HRKU-{_URL}{{36,}}"),
    Key("CLOUDFLARE_ORIGIN_CA_KEY", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}", fixed=True),
    Key("DATABRICKS_TOKEN", r"dapi[0-9a-f]{32}(?:-[0-9])?", fixed=True),
    Key("FLY_API_TOKEN", rf"fo1_{_URL}{{40,}}", check.random),
    Key("NETLIFY_TOKEN", r"nfp_[A-Za-z0-9]{36,44}", fixed=True),
    Key("SUPABASE_KEY", rf"sbp_[0-9a-f]{{40}}|sb_secret_{_URL}{{20,}}"),
    Key("PLANETSCALE_TOKEN", rf"pscale_(?:tkn|pw|oauth)_{_URL}{{30,}}"),
    Key("TAILSCALE_KEY", r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,24}-[A-Za-z0-9]{20,}"),
    # Code and packages
    Key("GITHUB_TOKEN", r"gh[pousr]_[A-Za-z0-9]{30,}"),
    Key("GITHUB_TOKEN", r"github_pat_[A-Za-z0-9_]{22,}"),
    Key("GITLAB_TOKEN", rf"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas|ffct|rtr)-{_URL}{{20,}}"),
    Key("BITBUCKET_TOKEN", rf"ATBB{_URL}{{28,}}|ATCTT3{_URL}{{60,}}", check.random),
    Key("ATLASSIAN_API_TOKEN", r"ATATT3[A-Za-z0-9_\-=]{60,}"),
    Key("NPM_TOKEN", r"npm_[A-Za-z0-9]{30,}"),
    Key("PYPI_TOKEN", rf"pypi-{_URL}{{50,}}", check.random),
    Key("RUBYGEMS_TOKEN", r"rubygems_[0-9a-f]{48}", fixed=True),
    Key("CRATES_IO_TOKEN", r"cio[A-Za-z0-9]{32}", check.random, fixed=True),
    Key("DOCKER_TOKEN", rf"dckr_(?:pat|oat)_{_URL}{{20,}}"),
    Key("JFROG_TOKEN", r"(?:AKCp|cmVmd)[A-Za-z0-9]{59,73}", check.random, fixed=True),
    Key("TERRAFORM_TOKEN", rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_URL}{{60,}}"),
    Key("VAULT_TOKEN", rf"hv[sbr]\.{_URL}{{24,}}", check.random),
    Key("PULUMI_TOKEN", r"pul-[0-9a-f]{40}", fixed=True),
    Key("DOPPLER_TOKEN", r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_\-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    Key("ONEPASSWORD_TOKEN", r"ops_eyJ[A-Za-z0-9+/=]{40,}"),
    Key("AGE_SECRET_KEY", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    # Messages and mail
    Key("SLACK_TOKEN", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9\-]{10,}", check.random),
    Key("SLACK_TOKEN", r"xapp-[0-9]-[A-Za-z0-9]{8,16}-[0-9]{8,16}-[a-z0-9]{32,}"),
    Key("SLACK_WEBHOOK_URL", r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,}"),
    Key(
        "DISCORD_WEBHOOK_URL",
        rf"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/(?:v[0-9]{{1,2}}/)?webhooks/[0-9]{{16,20}}/{_URL}{{50,}}",
    ),
    Key("DISCORD_BOT_TOKEN", rf"[MNO]{_URL}{{22,27}}\.{_URL}{{6}}\.{_URL}{{27,}}", check.bot_token),
    Key("TELEGRAM_BOT_TOKEN", rf"[0-9]{{8,10}}:AA{_URL}{{32,}}"),
    Key("TWILIO_API_KEY", r"SK[0-9a-f]{32}", fixed=True),
    Key("SENDGRID_API_KEY", rf"SG\.{_URL}{{16,32}}\.{_URL}{{30,}}"),
    Key("MAILGUN_API_KEY", r"key-[0-9a-f]{32}", fixed=True, score=0.8),
    Key("MAILGUN_API_KEY", r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}", fixed=True, score=0.8),
    Key("MAILCHIMP_API_KEY", r"[0-9a-f]{32}-us[0-9]{1,2}", fixed=True),
    Key("BREVO_API_KEY", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", fixed=True),
    Key("RESEND_API_KEY", r"re_[A-Za-z0-9]{8,10}_[A-Za-z0-9]{20,30}", check.random, fixed=True),
    # Money and shops
    Key("STRIPE_API_KEY", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    Key("STRIPE_WEBHOOK_SECRET", r"whsec_[A-Za-z0-9+/]{24,}={0,2}"),
    Key("SQUARE_TOKEN", rf"sq0(?:atp|csp|idp)-{_URL}{{22,}}|EAAA[El]{_URL}{{55,}}"),
    Key("SHOPIFY_TOKEN", r"shp(?:at|ca|pa|ss|tka)_[0-9a-fA-F]{32}", fixed=True),
    Key("RAZORPAY_KEY", r"rzp_(?:live|test)_[A-Za-z0-9]{14,24}", fixed=True),
    # Work and watching
    Key("LINEAR_API_KEY", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    Key("NOTION_TOKEN", r"ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43}", check.random, fixed=True),
    Key("AIRTABLE_TOKEN", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", fixed=True),
    Key("FIGMA_TOKEN", rf"fig[dou]_{_URL}{{40,}}", check.random),
    Key("POSTMAN_API_KEY", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", fixed=True),
    Key("GRAFANA_TOKEN", r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_eyJ[A-Za-z0-9+/=]{40,}"),
    Key("SENTRY_TOKEN", r"sntrys_eyJ[A-Za-z0-9+/=_]{60,}|sntryu_[0-9a-f]{64}"),
    Key("NEW_RELIC_KEY", r"NRAK-[A-Z0-9]{27}", fixed=True),
    Key("DYNATRACE_TOKEN", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", fixed=True),
)

NAMED: tuple[Named, ...] = (
    Named(
        "AWS_SECRET_ACCESS_KEY",
        rf"(?:aws[_\-. ]{{0,2}})?sec(?:ret)?[_\-. ]{{0,2}}(?:access[_\-. ]{{0,2}})?key{_SET}([A-Za-z0-9/+]{{40}})",
        check.varied,
    ),
    Named("AWS_SECRET_ACCESS_KEY", r"A[KS]IA[A-Z0-9]{16}[^A-Za-z0-9/+]{1,12}([A-Za-z0-9/+]{40})", check.varied),
    Named("AZURE_STORAGE_KEY", r"AccountKey=([A-Za-z0-9+/]{86}==)", check.varied),
    Named("AZURE_SHARED_ACCESS_KEY", r"SharedAccessKey=([A-Za-z0-9+/]{43}=)", check.varied),
    Named("AZURE_SAS_SIGNATURE", r"[?&;]sig=([A-Za-z0-9%+/]{40,}=?)", check.varied, fixed=False),
    Named("HEROKU_API_KEY", rf"heroku[a-z_\-. ]{{0,24}}{_SET}({_UUID})"),
    Named(
        "CLOUDFLARE_API_KEY",
        rf"{_WORD}(?:cloudflare|cf)[a-z_\-. ]{{0,24}}{_SET}([A-Za-z0-9_\-]{{37,40}})",
        check.random,
    ),
    Named(
        "DATADOG_API_KEY",
        rf"{_WORD}(?:datadog|dd)[_\-. ]{{0,2}}(?:api|app(?:lication)?)[_\-. ]{{0,2}}key{_SET}([0-9a-f]{{32,40}})",
    ),
    Named("TWILIO_AUTH_TOKEN", rf"twilio[a-z_\-. ]{{0,24}}{_SET}([0-9a-f]{{32}})"),
    Named("BEARER_TOKEN", r"bearer\s{1,3}([A-Za-z0-9._~+/\-]{16,}={0,2})", check.secret, fixed=False, score=0.7),
    Named("BASIC_AUTH", r"basic\s{1,3}([A-Za-z0-9+/]{8,}={0,2})", check.basic_credentials, score=0.8),
    Named(
        "URL_PASSWORD",
        r"""://[^\s:/@"'<>]{0,64}:([^\s/@"'<>]{3,100})@[A-Za-z0-9\[]""",
        check.credential,
        fixed=False,
        score=0.8,
    ),
    Named(
        "PASSWORD",
        r"(?:(?:pass(?:word|wd|phrase|code)|\b(?:pwd|pass)|_(?:pwd|pass|pw)|passwort|kennwort|contrasena|senha|mot de passe|"
        r"wachtwoord|密码|密碼|パスワード|비밀번호)"
        r"""["'`\]\\]{0,3}(?:\s?:\s?str)?\s{0,3}(?::=|=>|={1,3}|[:>]|(?:is|was):?\s)|--pass(?:word|wd)?\s)"""
        r"""\s{0,3}["'`\\]{0,3}([^\s"'`\\,;<>]{6,})""",
        check.password,
        fixed=False,
        score=0.6,
    ),
    Named(
        "GENERIC_SECRET",
        r"(?:(?:api|app|access|auth|secret|private|client|encryption|signing|service|account|license|admin|master|bot|"
        r"refresh|session|webhook|deploy|personal|integration|consumer)[_\-. ]{0,2}(?:api[_\-. ]?)?(?:key|token|secret)|"
        r"(?:openai|anthropic|azure|google|gemini|mistral|cohere|deepseek|stripe|twilio|sendgrid|github|gitlab)_key|"
        r"secret_key_base|apikey|\bsecret|\btoken|_secret|credentials?)"
        r"""["'`\]\\]{0,3}(?:\s?:\s?str)?\s{0,3}(?::=|=>|={1,3}|[:>]|is:?\s)\s{0,3}["'`\\]{0,3}"""
        r"([A-Za-z0-9_\-.+/=~!@#$%^&*()]{16,})",
        check.secret,
        fixed=False,
        score=0.6,
    ),
)

JWT = "JWT"
WEB_TOKEN = rf"eyJ{_URL}{{10,}}\.{_URL}{{10,}}(?:\.{_URL}*)?"

PRIVATE_KEY = "PRIVATE_KEY"
KEY_BLOCK = (
    r"-----BEGIN(?: [A-Z0-9]{1,12}){0,3} PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\\nrt]{0,6}(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\n\\]{1,60}){0,2}"
    r"[A-Za-z0-9+/=\s\\]*"
    r"(?:-----END[ A-Z0-9]{1,48}-----)?"
)

LABELS = frozenset({JWT, PRIVATE_KEY, *(row.label for row in KEYS), *(row.label for row in NAMED)})
