"""Credentials by what stands around them: connection strings, command lines, headers, and the files that tools keep them
in. Values are put together here at run time."""

from __future__ import annotations

import base64
import json

import pytest

from lockgate.detectors.scanner import Scanner
from lockgate.detectors.secrets import SecretsConfig, build
from looking import Looker

LOOK = Looker(build(SecretsConfig()))
LOOK_WIDE = Scanner(LOOK.detector.specs)

VALUE = "tQ7xV2mK9" + "pLw4Rb8z"
HEX_32 = "3f9a1c7e5b2d8046" + "a9c4e1f7b3d52860"
HEX_40 = HEX_32 + "9e7c1b4d"
UUID = "3f9a1c7e-5b2d-4046-a9c4-e1f7b3d52860"
BASE_43 = (VALUE * 3)[:42] + "A="
LOGIN = base64.b64encode(b"deploy:" + VALUE.encode()).decode()
PEM = base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA" + VALUE.encode() * 6).decode()


@pytest.mark.parametrize(
    "url",
    [
        "postgres://app:{}@db.example.com:5432/orders?sslmode=require",
        "postgresql+psycopg2://app:{}@10.1.2.3/orders",
        "mysql://root:{}@localhost/shop",
        "mysql+pymysql://root:{}@localhost:3306/shop?charset=utf8mb4",
        "mariadb://u:{}@h/d",
        "mongodb://u:{}@m1.example.net:27017,m2.example.net:27017/?replicaSet=a",
        "mongodb+srv://u:{}@cluster0.abcde.mongodb.net/test",
        "redis://:{}@cache:6379/0",
        "rediss://default:{}@cache.example.com:6380",
        "amqp://worker:{}@rabbit:5672/%2f",
        "amqps://worker:{}@rabbit.example.com",
        "mssql+pyodbc://sa:{}@sql.example.com/db?driver=ODBC+Driver+18+for+SQL+Server",
        "clickhouse://default:{}@ch:9000/logs",
        "smtp://mailer:{}@smtp.example.com:587",
        "smtps://mailer:{}@smtp.example.com",
        "ftp://u:{}@files.example.com/x",
        "https://deploy:{}@git.example.com/team/app.git",
        "socks5h://u:{}@proxy.example.com:1080",
        "ldap://cn:{}@ldap.example.com",
        "nats://u:{}@nats:4222",
        "snowflake://u:{}@account/db",
        "elasticsearch+https://elastic:{}@es:9200",
    ],
)
def test_passwords_of_urls(url: str) -> None:
    for text in (url, f'DATABASE_URL="{url}"', f"- name: URL\n  value: {url}\n", f"create_engine('{url}')"):
        assert LOOK(text.format(VALUE)) == [("URL_PASSWORD", VALUE)]


NAMED: list[tuple[str, str, str]] = [
    (
        "CONNECTION_STRING_PASSWORD",
        "Server=tcp:sql.example.net,1433;Database=d;User ID=app;Password={};Encrypt=True;",
        VALUE,
    ),
    ("CONNECTION_STRING_PASSWORD", "Driver={{ODBC Driver 18}};Server=db;Uid=sa;Pwd={};", VALUE),
    ("CONNECTION_STRING_PASSWORD", "Data Source=x;User Id=scott; Password = {}", VALUE),
    ("CONNECTION_STRING_PASSWORD", "jdbc:mysql://db.example.com:3306/shop?user=app&password={}&useSSL=true", VALUE),
    ("CONNECTION_STRING_PASSWORD", "jdbc:postgresql://db/shop?password={}", VALUE),
    ("AZURE_STORAGE_KEY", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}", (VALUE * 6)[:86] + "=="),
    ("AZURE_SHARED_ACCESS_KEY", "Endpoint=sb://x.example.net/;SharedAccessKeyName=Root;SharedAccessKey={}", BASE_43),
    ("NETRC_PASSWORD", "machine api.example.com login deploy password {}", VALUE),
    ("NETRC_PASSWORD", "machine api.example.com\n  login deploy\n  password {}\n", VALUE),
    ("NPM_TOKEN", "//registry.example.com/:_authToken={}", UUID),
    ("NPM_TOKEN", "//registry.example.com/:_auth={}", LOGIN),
    ("DOCKER_AUTH", '{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{}"}}}}}}', LOGIN),
    ("DOCKER_AUTH", r"{{\"auths\": {{\"ghcr.io\": {{\"auth\": \"{}\"}}}}}}", LOGIN),
    ("COMMAND_LINE_PASSWORD", "curl -sS -u deploy:{} https://api.example.com/v1", VALUE),
    ("COMMAND_LINE_PASSWORD", 'curl --user "deploy:{}" https://api.example.com', VALUE),
    ("COMMAND_LINE_PASSWORD", "sshpass -p '{}' ssh root@host.example.com", VALUE),
    ("COMMAND_LINE_PASSWORD", "mysql -h db -uroot -p{} shop", VALUE),
    ("COMMAND_LINE_PASSWORD", "mysqldump -p{} shop", VALUE),
    ("COMMAND_LINE_PASSWORD", "redis-cli -h cache -a {} ping", VALUE),
    ("COMMAND_LINE_PASSWORD", "docker login -u deploy -p {} registry.example.com", VALUE),
    ("AUTHORIZATION_HEADER", "Authorization: Token {}", HEX_40),
    ("AUTHORIZATION_HEADER", "-H 'Authorization: ApiKey {}'", VALUE + VALUE),
    ("AUTHORIZATION_HEADER", '{{"Authorization": "GenieKey {}"}}', UUID),
    ("BEARER_TOKEN", '{{"Authorization": "Bearer {}"}}', VALUE + VALUE),
    ("BASIC_AUTH", "Proxy-Authorization: Basic {}", LOGIN),
    ("OKTA_TOKEN", "Authorization: SSWS {}", "00" + VALUE + VALUE + "QwErTy"),
    ("SESSION_COOKIE", "Cookie: lang=en; session={}; theme=dark", VALUE * 2),
    ("SESSION_COOKIE", "curl -b 'sessionid={}' https://example.com", VALUE * 2),
    ("SESSION_COOKIE", "Set-Cookie: PHPSESSID={}; HttpOnly", HEX_32),
    ("SESSION_COOKIE", "Set-Cookie: __Secure-next-auth.session-token={}; Path=/", VALUE * 3),
    ("SESSION_COOKIE", "connect.sid={}", "s%3A" + VALUE * 2),
    (
        "KUBEADM_TOKEN",
        "kubeadm join 10.1.2.3:6443 --token {} --discovery-token-ca-cert-hash x",
        "a1b2c3.d4e5f6g7h8i9j0k1",
    ),
    ("LARAVEL_APP_KEY", "APP_KEY=base64:{}", BASE_43),
    ("WIREGUARD_KEY", "[Interface]\nPrivateKey = {}\nAddress = x", BASE_43),
    ("OTP_SECRET", "otpauth://totp/Shop:anna?secret={}&issuer=Shop", "JBSWY3DPEHPK3PXPMZ2W"),
    ("JSON_WEB_KEY", '{{"kty": "EC", "crv": "P-256", "x": "MKBC", "y": "4Etl", "d": "{}"}}', VALUE * 3),
    ("WANDB_API_KEY", "WANDB_API_KEY={}", HEX_40),
    (
        "AWS_SECRET_ACCESS_KEY",
        "[default]\naws_access_key_id = x\naws_secret_access_key = {}",
        "wJalr7UtnFEMI/K7MDENG" + "/bPxRfiCY3q8Zt1Lm+Ka"[:19],
    ),
    (
        "AWS_SECRET_ACCESS_KEY",
        "export AWS_SECRET_ACCESS_KEY='{}'",
        "wJalr7UtnFEMI/K7MDENG" + "/bPxRfiCY3q8Zt1Lm+Ka"[:19],
    ),
    ("AWS_SECRET_ACCESS_KEY", '{{"SecretAccessKey": "{}"}}', "wJalr7UtnFEMI/K7MDENG" + "/bPxRfiCY3q8Zt1Lm+Ka"[:19]),
    (
        "AWS_SECRET_ACCESS_KEY",
        'provider "aws" {{\n  secret_key = "{}"\n}}',
        "wJalr7UtnFEMI/K7MDENG" + "/bPxRfiCY3q8Zt1Lm+Ka"[:19],
    ),
    ("AWS_SECRET_ACCESS_KEY", "aws:\n  secretAccessKey: {}\n", "wJalr7UtnFEMI/K7MDENG" + "/bPxRfiCY3q8Zt1Lm+Ka"[:19]),
    ("AWS_SECRET_ACCESS_KEY", "env:\n  - name: AWS_SECRET_ACCESS_KEY\n    value: {}\n", (VALUE * 3)[:40]),
    ("AWS_SECRET_ACCESS_KEY", '{{"name": "AWS_SECRET_ACCESS_KEY", "value": "{}"}}', (VALUE * 3)[:40]),
    ("DATADOG_API_KEY", '- name: DD_API_KEY\n  value: "{}"\n', HEX_32),
    ("PASSWORD", "- name: POSTGRES_PASSWORD\n  value: {}", VALUE),
    ("PASSWORD", "- {{name: POSTGRES_PASSWORD, value: {}}}", VALUE),
    ("PASSWORD", '{{\n  "name": "DB_PASSWORD",\n  "value": "{}"\n}}', VALUE),
    ("PASSWORD", r"{{\"name\": \"DB_PASSWORD\", \"value\": \"{}\"}}", VALUE),
    ("PASSWORD", '<property name="password" value="{}"/>', VALUE),
    ("PASSWORD", '<add key="SmtpPassword" value="{}" />', VALUE),
    ("PASSWORD", "ParameterKey=DbPassword,ParameterValue={}", VALUE),
    ("PASSWORD", "CREATE USER app@'%' IDENTIFIED BY '{}';", VALUE),
    ("PASSWORD", "ALTER USER 'app' IDENTIFIED WITH caching_sha2_password BY '{}'", VALUE),
    ("PASSWORD", "ALTER ROLE app WITH PASSWORD '{}'; CREATE ROLE b LOGIN;", VALUE),
    ("PASSWORD", "CREATE ROLE app ENCRYPTED PASSWORD '{}'", VALUE),
    ("GENERIC_SECRET", "- name: SESSION_SECRET\n  value: {}\n", VALUE),
    ("GENERIC_SECRET", '{{"name": "ACME_API_KEY", "value": "{}"}}', VALUE),
    ("TELEGRAM_BOT_TOKEN", "https://api.telegram.org/{}/getMe", "bot4811311440:AA" + VALUE * 2),
    ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET={}", "aB3" + "8Q~" + (VALUE * 2)),
    ("PRIVATE_KEY", "client-key-data: {}\n", PEM),
    ("PASSWORD_HASH", "root:{}:19000:0:99999:7:::", "$6$" + "s4ltS4lt$" + (VALUE * 6)[:86]),
    ("PASSWORD_HASH", "admin:{}", "$2y$" + "10$" + (VALUE * 4)[:53]),
    ("PASSWORD_HASH", "'{}'", "$argon2id$v=19$m=65536,t=3,p=4$" + VALUE + "$" + VALUE * 2),
    ("PASSWORD_HASH", "'{}'", "pbkdf2_sha256$" + "600000$" + VALUE + "$" + (VALUE * 3)[:43] + "="),
]


@pytest.mark.parametrize(("label", "text", "value"), NAMED, ids=[f"{i}-{row[0]}" for i, row in enumerate(NAMED)])
def test_what_stands_around_a_value(label: str, text: str, value: str) -> None:
    whole = text.format(value)
    assert (label, value) in LOOK(whole)
    found = sorted(LOOK(whole))
    for at in range(0, len(whole) + 1, 7):
        assert sorted(LOOK.in_pieces(whole, at)) == found, at


@pytest.mark.parametrize(
    "word",
    ["Passwort", "Kennwort", "contraseña", "senha", "wachtwoord", "lösenord", "passord", "adgangskode", "salasana", "hasło", "heslo", "jelszó", "parola", "parole", "parool", "şifre", "пароль", "парола", "κωδικός", "סיסמה", "पासवर्ड", "รหัสผ่าน", "密码", "口令", "パスワード", "비밀번호", "mot de passe", "mật khẩu", "kata sandi", "كلمة المرور", "كلمة السر"],
)  # fmt: skip
def test_passwords_in_many_languages(word: str) -> None:
    for text in (f"{word}: {VALUE}", f"{word.upper()} = '{VALUE}'", f"... {word}:{VALUE}, ..."):
        assert LOOK(text) == [("PASSWORD", VALUE)], text


def test_a_service_account() -> None:
    block = "-----BEGIN PRIVATE KEY-----\n" + "\n".join([(VALUE * 4)[:64]] * 4) + "\n-----END PRIVATE KEY-----\n"
    account = {
        "type": "service_account",
        "private_key_id": HEX_40,
        "private_key": block,
        "client_email": "app@project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    assert [label for label, _ in LOOK(json.dumps(account, indent=2))] == ["PRIVATE_KEY"]


def test_a_kubeconfig() -> None:
    text = f"users:\n- name: admin\n  user:\n    client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n    client-key-data: {PEM}\n"
    assert LOOK(text) == [("PRIVATE_KEY", PEM)]
    assert Looker(build(SecretsConfig(views=())))(text) == [("PRIVATE_KEY", PEM)]


def test_a_long_private_key_in_base64() -> None:
    """Longer than what is decoded, and cut at the row's width."""
    block = "-----BEGIN PRIVATE KEY-----\n" + "\n".join([(VALUE * 4)[:64]] * 26)
    found = LOOK_WIDE.scan("key: " + base64.b64encode(block.encode()).decode()).matches
    assert [(match.start, match.too_wide) for match in found] == [(5, True)]


@pytest.mark.parametrize(
    "text",
    [
        "socks5h://<username>:<password>@proxy-host and http://{user}:{password}@host and ftp://%s:%s@%s",
        "postgres://user:password@host/db, mysql://root:changeme@h, redis://:${REDIS_PASSWORD}@h, amqp://u:{{ pass }}@h",
        "https://user:xxxxxxxx@example.com https://user:********@example.com https://user:<secret>@h http://u:pass@h",
        "Server=db;Uid=sa;Pwd=<password>;  Password={0};  ;password=${DB_PASS};  jdbc:mysql://h/d?password=changeme",
        "ed25519.Ed25519PrivateKey: private_key: ed25519.Ed25519PrivateKey, x: rsa.RSAPrivateKey",
        "MLKEM768X25519PrivateKey = rust_openssl.hpke.MLKEM768X25519PrivateKey",
        "my $pass = $assert->{pass}; $token = $self->token_2024_generator;",
        "#define CFF_CONFIG_OPTION_DARKENING_PARAMETER_X1 500\n#if CFF_CONFIG_OPTION_DARKENING_PARAMETER_Y2 < 0",
        "curl -u user:password https://x, curl -u $USER:$PASS x, curl -u user: x, curl -u <user>:<password>",
        "mysql -u root -p shop; mysqldump -pPASSWORD shop; sshpass -p $SSHPASS ssh x; docker login -p $TOKEN",
        "machine example.com login <user> password <password>; machine learning login page password reset",
        '_authToken=${NPM_TOKEN}; //registry/:_auth=<base64>; "auth": "required", "auth": "basic-auth-optional"',
        "Authorization: Token <your-token>, Authorization: Bearer {token}, Authorization: Bot $BOT_TOKEN_FROM_ENV",
        "Cookie: session=<session>; PHPSESSID=xxxxxxxxxxxxxxxxxxxxxxxxxx; sessionid=${SESSION_ID_FROM_LOGIN}",
        "client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURERENDQWZTZ0F3SUJBZ0lJ" + "QWFhYTAw" * 4,
        '{"kty": "RSA", "e": "AQAB", "n": "' + VALUE * 4 + '"}',
        "secretKeyRef:\n  name: db-credentials-2024\n  key: password\nvalueFrom: {secretKeyRef: {name: app-token-v2}}",
        "APP_KEY=base64:your-key-here, PrivateKey = <private key>, otpauth://totp/Shop?secret=SECRET",
        "- name: DB_PASSWORD\n  valueFrom: {secretKeyRef: {name: db-1, key: password}}\n- name: TOKEN_TTL\n  value: '3600'",
        '{"name": "DB_PASSWORD", "value": ""}, {"name": "API_KEY", "value": "<api key>"}, {"name": "password", "value": null}',
        "- name: DB_PASSWORD\n  value: $(DB_PASSWORD_1)\n- name: API_KEY_FILE\n  value: /run/secrets/api_key_2",
        "{ name: 'password', value: form.password1, label: 'Password' }, <input name=\"password\" value=\"\">",
        "CREATE USER app IDENTIFIED BY '<password>'; ALTER ROLE app WITH PASSWORD :'pw'; IDENTIFIED BY 'password'",
        "with password 'required', identified by 'name', and identified by its number 'A12 B34'",
        "Пароль должен содержать 12 символов. Hasło: co najmniej 12 znaków. Şifre: en az 12 karakter. パスワード:12文字以上",
        "$1 $2b $6 costs, $5$ and $6$salt$, awk '{print $1$2$3}'",
    ],
)
def test_placeholders_and_names(text: str) -> None:
    assert LOOK(text) == []


def test_there_are_many_kinds() -> None:
    assert len(LOOK.detector.labels) > 120
