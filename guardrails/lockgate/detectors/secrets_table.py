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
_BESIDE = r"""["'\\]{0,3}(?:,\s{0,24}|\s{1,24})["'\\]{0,3}(?:parameter)?value["'\\]{0,3}\s?[:=]\s{0,3}["'\\]{0,3}"""
"""Where the name is itself a value, as in Kubernetes: `- name: DB_PASSWORD`, and on the next line `value: …`."""
_SET = rf"""(?:["'`\]\\]{{0,3}}\s{{0,3}}(?::=|=>|={{1,3}}|[:,>]|is )?\s{{0,3}}["'`\\]{{0,3}}|{_BESIDE})"""
_IS = rf"""(?:["'`\]\\]{{0,3}}\s{{0,3}}(?::=|=>|={{1,3}}|[:,>]|is )\s{{0,3}}["'`\\]{{0,3}}|{_BESIDE})"""
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
    Key("TOGETHER_API_KEY", rf"tgp_v1_{_URL}{{40,}}", check.random),
    Key("FIREWORKS_API_KEY", r"fw_[A-Za-z0-9]{22,}", check.random),
    Key("LLAMA_CLOUD_API_KEY", r"llx-[A-Za-z0-9]{40,}", check.random),
    Key("JINA_API_KEY", rf"jina_[0-9a-f]{{32}}{_URL}{{20,}}", check.random),
    Key("FIRECRAWL_API_KEY", r"fc-[0-9a-f]{32}", fixed=True),
    Key("E2B_API_KEY", r"e2b_[0-9a-f]{40}", fixed=True),
    Key("APIFY_TOKEN", r"apify_api_[A-Za-z0-9]{30,}", check.random),
    Key("WANDB_API_KEY", r"wandb_v1_[A-Za-z0-9_]{40,}", check.random),
    Key("LOCKGATE_KEY", r"lg-[a-z2-9]{8}-[0-9A-Za-z]{46}", check.own_key, fixed=True),
    # Clouds
    Key("AWS_ACCESS_KEY_ID", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}", check.varied, fixed=True),
    Key("AWS_SESSION_TOKEN", r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/=]{80,}", check.random),
    Key("AWS_BEDROCK_API_KEY", r"(?:ABSKQmVkcm9ja0FQSUtleS|bedrock-api-key-)[A-Za-z0-9+/=]{60,}", check.random),
    Key("GOOGLE_API_KEY", rf"AIza{_URL}{{30,}}"),
    Key("GOOGLE_API_KEY", rf"AQ\.Ab8{_URL}{{40,}}", check.random),
    Key("GOOGLE_OAUTH_CLIENT_SECRET", rf"GOCSPX-{_URL}{{20,}}"),
    Key("GOOGLE_OAUTH_TOKEN", rf"ya29\.{_URL}{{30,}}", check.random),
    Key("GOOGLE_OAUTH_TOKEN", rf"1//0[0-9A-Za-z]{_URL}{{40,}}", check.random),
    Key("AZURE_CLIENT_SECRET", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}"),
    Key("AZURE_DEVOPS_TOKEN", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", check.random, fixed=True),
    Key("OPENSHIFT_TOKEN", rf"sha256~{_URL}{{43,}}", check.random),
    Key("TENCENT_SECRET_ID", r"AKID[A-Za-z0-9]{32}", check.random, fixed=True),
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
    Key("VERCEL_TOKEN", r"vercel_blob_rw_[A-Za-z0-9]{16}_[A-Za-z0-9]{30,}|vc[kpira]_[A-Za-z0-9]{40,}", check.random),
    Key("RENDER_API_KEY", r"rnd_[A-Za-z0-9]{28,}", check.random),
    Key("NEON_API_KEY", r"napi_[a-z0-9]{60,}", check.random),
    Key("DENO_DEPLOY_TOKEN", r"dd[po]_[A-Za-z0-9]{36}", check.random, fixed=True),
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
    Key("CIRCLECI_TOKEN", r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{20,24}_[0-9a-f]{40}", fixed=True),
    Key("BUILDKITE_TOKEN", r"bk(?:ua|ct)_[0-9a-f]{40}", fixed=True),
    Key("SONARQUBE_TOKEN", r"sq[pua]_[0-9a-f]{40}", fixed=True),
    Key("NUGET_API_KEY", r"oy2[a-z0-9]{43}", check.random, fixed=True),
    Key("SOURCEGRAPH_TOKEN", r"sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}", fixed=True),
    Key("PREFECT_API_KEY", r"pn[ub]_[A-Za-z0-9]{36}", check.random, fixed=True),
    # Messages and mail
    Key("SLACK_TOKEN", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9\-]{10,}", check.random),
    Key("SLACK_TOKEN", r"xapp-[0-9]-[A-Za-z0-9]{8,16}-[0-9]{8,16}-[a-z0-9]{32,}"),
    Key("SLACK_WEBHOOK_URL", r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,}"),
    Key(
        "DISCORD_WEBHOOK_URL",
        rf"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/(?:v[0-9]{{1,2}}/)?webhooks/[0-9]{{16,20}}/{_URL}{{50,}}",
    ),
    Key("DISCORD_BOT_TOKEN", rf"[MNO]{_URL}{{22,27}}\.{_URL}{{6}}\.{_URL}{{27,}}", check.bot_token),
    Key("TELEGRAM_BOT_TOKEN", rf"(?:bot)?[0-9]{{8,10}}:AA{_URL}{{32,}}"),
    Key("TWILIO_API_KEY", r"SK[0-9a-f]{32}", fixed=True),
    Key("SENDGRID_API_KEY", rf"SG\.{_URL}{{16,32}}\.{_URL}{{30,}}"),
    Key("MAILGUN_API_KEY", r"key-[0-9a-f]{32}", fixed=True, score=0.8),
    Key("MAILGUN_API_KEY", r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}", fixed=True, score=0.8),
    Key("MAILCHIMP_API_KEY", r"[0-9a-f]{32}-us[0-9]{1,2}", fixed=True),
    Key("BREVO_API_KEY", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", fixed=True),
    Key("RESEND_API_KEY", r"re_[A-Za-z0-9]{8,10}_[A-Za-z0-9]{20,30}", check.random, fixed=True),
    Key(
        "TEAMS_WEBHOOK_URL",
        rf"https://[a-z0-9\-]{{1,40}}\.webhook\.office\.com/webhookb2/{_UUID}@{_UUID}/IncomingWebhook/[0-9a-f]{{32}}/{_UUID}",
    ),
    Key("ZAPIER_WEBHOOK_URL", r"https://hooks\.zapier\.com/hooks/catch/[0-9]{5,10}/[A-Za-z0-9]{6,}"),
    # Money and shops
    Key("STRIPE_API_KEY", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    Key("STRIPE_WEBHOOK_SECRET", r"whsec_[A-Za-z0-9+/]{24,}={0,2}"),
    Key("SQUARE_TOKEN", rf"sq0(?:atp|csp|idp)-{_URL}{{22,}}|EAAA[El]{_URL}{{55,}}"),
    Key("SHOPIFY_TOKEN", r"shp(?:at|ca|pa|ss|tka)_[0-9a-fA-F]{32}", fixed=True),
    Key("RAZORPAY_KEY", r"rzp_(?:live|test)_[A-Za-z0-9]{14,24}", fixed=True),
    Key("PLAID_TOKEN", rf"access-(?:sandbox|development|production)-{_UUID}", fixed=True),
    Key("SHIPPO_TOKEN", r"shippo_(?:live|test)_[0-9a-f]{40}", fixed=True),
    Key("EASYPOST_KEY", r"EZ[AT]K[A-Za-z0-9]{54}", check.random, fixed=True),
    Key("DUFFEL_TOKEN", rf"duffel_(?:live|test)_{_URL}{{40,}}", check.random),
    Key("FLUTTERWAVE_KEY", r"FLWSECK(?:_TEST)?-[0-9a-zA-Z]{32}-X", fixed=True),
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
    Key("HUBSPOT_TOKEN", rf"pat-(?:na|eu|ap)[0-9]-{_UUID}", fixed=True),
    Key("ASANA_TOKEN", r"[12]/[0-9]{15,17}(?:/[0-9]{15,17})?:[0-9a-f]{32}", fixed=True),
    Key("DROPBOX_TOKEN", rf"sl\.(?:u\.)?{_URL}{{130,}}", check.random),
    Key("HONEYCOMB_API_KEY", r"hc[abx]ik_[0-9a-z]{58}", check.random, fixed=True),
    Key("LAUNCHDARKLY_KEY", rf"(?:api|sdk)-{_UUID}", fixed=True, score=0.8),
    Key("MAPBOX_TOKEN", rf"sk\.eyJ{_URL}{{20,}}\.{_URL}{{20,}}", check.random),
    Key("CONTENTFUL_TOKEN", rf"CFPAT-{_URL}{{43}}", check.random, fixed=True),
    Key("TYPEFORM_TOKEN", rf"tfp_{_URL}{{40,}}", check.random),
    Key("FACEBOOK_TOKEN", r"EAA[A-Z][A-Za-z0-9]{90,}", check.dense, fixed=True),
    Key("ADAFRUIT_KEY", r"aio_[A-Za-z0-9]{28}", check.random, fixed=True),
    # What a password is kept as: enough to try it out at leisure
    Key("PASSWORD_HASH", r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}", fixed=True, score=0.8),
    Key(
        "PASSWORD_HASH",
        r"\$(?:[156]|y|gy)\$(?:rounds=[0-9]{1,9}\$|j[./A-Za-z0-9]{1,4}\$)?[./A-Za-z0-9]{1,22}\$[./A-Za-z0-9]{22,86}",
        score=0.8,
    ),
    Key(
        "PASSWORD_HASH",
        r"\$argon2(?:id|i|d)\$v=[0-9]{1,3}\$m=[0-9]{1,8},t=[0-9]{1,3},p=[0-9]{1,3}\$[A-Za-z0-9+/]{11,64}\$[A-Za-z0-9+/]{20,100}",
        score=0.8,
    ),
    Key(
        "PASSWORD_HASH",
        r"pbkdf2_sha(?:1|256|512)\$[0-9]{4,8}\$[A-Za-z0-9]{8,32}\$[A-Za-z0-9+/]{27,90}={0,2}",
        score=0.8,
    ),
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
        rf"{_WORD}(?:cloudflare|cf)[a-z_\-. ]{{0,24}}{_IS}([A-Za-z0-9_\-]{{37,40}})",
        check.random,
    ),
    Named(
        "DATADOG_API_KEY",
        rf"{_WORD}(?:datadog|dd)[_\-. ]{{0,2}}(?:api|app(?:lication)?)[_\-. ]{{0,2}}key{_SET}([0-9a-f]{{32,40}})",
    ),
    Named("TWILIO_AUTH_TOKEN", rf"twilio[a-z_\-. ]{{0,24}}{_SET}([0-9a-f]{{32}})"),
    Named("WANDB_API_KEY", rf"{_WORD}wandb[a-z_\-. ]{{0,24}}{_IS}([0-9a-f]{{40}})"),
    Named("OKTA_TOKEN", rf"ssws\s{{1,2}}(00{_URL}{{38,42}})", check.random),
    Named("KUBEADM_TOKEN", r"--token\s([a-z0-9]{6}\.[a-z0-9]{16})"),
    Named("NPM_TOKEN", r"""_authToken\s?=\s?["']?([A-Za-z0-9_\-+/=]{20,})""", check.secret, fixed=False),
    Named("NPM_TOKEN", r"""_auth\s?=\s?["']?([A-Za-z0-9+/]{8,}={0,2})""", check.basic_credentials),
    Named("DOCKER_AUTH", r"""\\?"auth\\?"\s{0,2}:\s{0,2}\\?"([A-Za-z0-9+/]{8,}={0,2})""", check.basic_credentials),
    Named("LARAVEL_APP_KEY", r"""app_key\s?=\s?["']?base64:([A-Za-z0-9+/]{43}=)"""),
    Named("WIREGUARD_KEY", r"(?:PrivateKey|PresharedKey)\s?=\s?([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"),
    Named("OTP_SECRET", r"""otpauth://[ht]otp/[^\s"'?]{1,150}\?[^\s"']{0,80}secret=([A-Z2-7]{16,})""", check.varied),
    Named("JSON_WEB_KEY", r""""kty"[^{}]{1,1200}"d"\s?:\s?"([A-Za-z0-9_\-]{40,})""", check.varied),
    Named(
        "NETRC_PASSWORD",
        r"machine\s{1,3}[^\s]{1,100}\s{1,8}login\s{1,3}[^\s]{1,64}\s{1,8}password\s{1,3}([^\s]{3,})",
        check.credential,
        fixed=False,
    ),
    Named(
        "CONNECTION_STRING_PASSWORD",
        r"""(?:;\s?|jdbc:[a-z0-9:]{2,30}//[^\s"']{1,200}[?&])(?:password|pwd)\s?=\s?["'{]?([^;&\s"'}]{4,})""",
        check.credential,
        fixed=False,
        score=0.8,
    ),
    Named(
        "COMMAND_LINE_PASSWORD",
        r"""(?:\bcurl\s[^\n|;]{0,200}\s?(?:-u|--user|--proxy-user)[\s=]["']?[^\s:"'$]{1,64}:|\bsshpass\s{1,2}-p\s?["']?|"""
        r"""\b(?:mysql|mysqldump|mysqladmin|mariadb)\s(?:[^\n|;]{0,120}\s)?-p|\bredis-cli\s(?:[^\n|;]{0,120}\s)?-a\s|"""
        r"""\bdocker\slogin\s(?:[^\n|;]{0,120}\s)?-p\s)["']?([^\s"'\-][^\s"']{3,})""",
        check.credential,
        fixed=False,
        score=0.8,
    ),
    Named(
        "AUTHORIZATION_HEADER",
        r"""authorization["'\\]{0,2}\s{0,2}[:=]\s{0,2}["'\\]{0,2}(?:token|apikey|api-key|key|bot|splunk|sso-key|geniekey)"""
        r"\s{1,2}([A-Za-z0-9._~+/\-:=]{16,})",
        check.secret,
        fixed=False,
        score=0.8,
    ),
    Named(
        "SESSION_COOKIE",
        r"(?:PHPSESSID|JSESSIONID|ASP\.NET_SessionId|connect\.sid|sessionid|laravel_session|[a-z]{2,24}_session|"
        r"wordpress_logged_in_[0-9a-f]{32}|__(?:Secure|Host)-[A-Za-z0-9._\-]{1,40}|"
        r"""cookie["']?:\s?["']?(?:[^\n"']{0,200}; )?(?:session|sid|auth|token))=([A-Za-z0-9%._\-+/=|:~]{16,})""",
        check.random,
        fixed=False,
        score=0.7,
    ),
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
        r"wachtwoord|lösenord|passord|adgangskode|salasana|\bhasło|\bheslo|\bjelszó|\bparool|\bparol[ae]?|\bşifre|mật khẩu|kata sandi|"
        r"[пП](?:ароль|АРОЛЬ|арола|АРОЛА)|κωδικός|ΚΩΔΙΚΌΣ|סיסמה|كلمة (?:المرور|السر)|पासवर्ड|รหัสผ่าน|密码|密碼|口令|パスワード|비밀번호)"
        rf"""(?:["'`\]\\]{{0,3}}(?:\s?:\s?str)?\s{{0,3}}(?::=|=>|={{1,3}}|[:>]|(?:is|was):?\s)|{_BESIDE})|--pass(?:word|wd)?\s)"""
        r"""\s{0,3}["'`\\]{0,3}([^\s"'`\\,;<>]{6,})""",
        check.password,
        fixed=False,
        score=0.6,
    ),
    Named(
        "PASSWORD",
        r"""\b(?:identified\s{1,3}(?:with\s{1,3}\S{1,40}\s{1,3})?by|(?:with|encrypted)\s{1,3}password)\s{1,3}["']([^\s"'`\\;<>]{6,})["']""",
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
        rf"""(?:["'`\]\\]{{0,3}}(?:\s?:\s?str)?\s{{0,3}}(?::=|=>|={{1,3}}|[:>]|is:?\s)\s{{0,3}}["'`\\]{{0,3}}|{_BESIDE})"""
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

ENCODED_KEY_BLOCK = r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}"
"""A PEM block in base64, as kubeconfig files and cloud functions' settings have it."""

LABELS = frozenset({JWT, PRIVATE_KEY, *(row.label for row in KEYS), *(row.label for row in NAMED)})
