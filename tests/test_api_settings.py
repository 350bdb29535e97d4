"""Settings of the API: tokens, keys, origins and proxies, of which no secret is ever shown."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import settings
from settings import ApiSettings, Settings, SettingsError, load

TOKEN = "x4LJ_a-token-of-its-own-9c2b"  # noqa: S105 - of nothing
OTHER = "another-token-of-somebody-7d1"
KEY = "a-key-of-more-than-sixty-four-characters-that-nobody-but-us-knows"
PUBLIC_KEY = (
    Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of this computer's is found."""
    places = settings.Places(
        tmp_path / "market_pulse.toml", tmp_path / "data", (tmp_path / "secrets.toml",)
    )
    monkeypatch.setattr(settings, "USUAL", places)
    return tmp_path


def load_with(folder: Path, text: str, **environ: str) -> Settings:
    """The settings of a file with this text."""
    path = folder / "given.toml"
    path.write_text(text, encoding="utf-8")
    return load({"MARKET_PULSE_CONFIG": str(path), **environ})


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def test_nothing_is_open_unless_it_was_chosen() -> None:
    """Neither to other computers nor to other pages."""
    found = load({})
    assert found.api == ApiSettings()
    assert not found.api.wants_token
    assert (found.api.origins, found.api.is_metrics_open) == ((), False)
    assert found.alerts.public_url == ""


def test_tokens_have_names_and_are_known_by_their_digest_alone() -> None:
    """Given as they are, or by that."""
    text = f" desk:{TOKEN} , phone:sha256:{digest(OTHER).upper()},"
    found = load({"MARKET_PULSE_API_TOKENS": text})
    assert found.api.tokens == {"desk": digest(TOKEN), "phone": digest(OTHER)}
    assert found.api.wants_token
    assert TOKEN not in repr(found)


def test_secrets_may_stand_in_secrets_toml(nowhere: Path) -> None:
    """The environment wins."""
    lines = [f'MARKET_PULSE_API_TOKENS = "desk:{TOKEN}"', f'MARKET_PULSE_API_JWT_KEY = "{KEY}"']
    (nowhere / "secrets.toml").write_text("\n".join(lines))
    assert load({}).api.tokens == {"desk": digest(TOKEN)}
    assert load({}).api.jwt_key == KEY
    of_both = load({"MARKET_PULSE_API_TOKENS": f"phone:{OTHER}"})
    assert list(of_both.api.tokens) == ["phone"]


def test_a_key_of_web_tokens_is_a_secret_or_a_public_key(nowhere: Path) -> None:
    """The ends of its lines may be written as a file of an environment can."""
    found = load({"MARKET_PULSE_API_JWT_KEY": KEY})
    assert (found.api.jwt_key, found.api.jwt_algorithm) == (KEY, "HS256")
    assert KEY in found.secrets
    assert KEY not in repr(found)
    for key in (PUBLIC_KEY, PUBLIC_KEY.replace("\n", "\\n")):
        text = '[api]\njwt_algorithm = "EdDSA"\njwt_audience = "desk"'
        api = load_with(nowhere, text, MARKET_PULSE_API_JWT_KEY=key).api
        assert api.jwt_key.strip() == PUBLIC_KEY.strip()
        assert (api.jwt_algorithm, api.jwt_audience) == ("EdDSA", "desk")


def test_the_table_says_who_may_read_from_where(nowhere: Path) -> None:
    """The public address may stand in the environment, too."""
    text = """
[api]
origins = ["https://example.com", "http://localhost:3000"]
metrics_open = true
public_url = "https://pulse.example.com/"
trusted_proxies = ["10.0.0.0/8", "::1"]
"""
    found = load_with(nowhere, text)
    assert found.api.origins == ("https://example.com", "http://localhost:3000")
    assert found.api.is_metrics_open
    assert found.api.proxies == ("10.0.0.0/8", "::1")
    assert found.alerts.public_url == "https://pulse.example.com"
    other = load_with(nowhere, text, MARKET_PULSE_PUBLIC_URL="http://desk:8501")
    assert other.alerts.public_url == "http://desk:8501"


WRONG_SECRETS = [
    ({"TOKENS": TOKEN}, "token 1 of 1 has no name"),
    ({"TOKENS": f":{TOKEN}"}, "token 1 of 1 has no name"),
    ({"TOKENS": f"a b:{TOKEN}"}, "token 1 of 1 has no name"),
    ({"TOKENS": f"desk:{TOKEN},desk:{OTHER}"}, "token 2 of 2 has the name of another"),
    ({"TOKENS": f"desk:{TOKEN},phone:{TOKEN}"}, "token 2 of 2 is the same as another"),
    ({"TOKENS": "desk:short-token-7"}, "is shorter than 20 characters"),
    ({"TOKENS": f"desk:{TOKEN} {TOKEN}"}, "holds one that no token has"),
    ({"TOKENS": "desk:sha256:0123abcd"}, "expected 64 hexadecimal digits"),
    ({"JWT_KEY": "a-short-key-of-nobody"}, "too short for HS256, expected 32 characters"),
    ({"JWT_KEY": PUBLIC_KEY}, "is no key for HS256, expected a secret"),
]


@pytest.mark.parametrize(("given", "expected"), WRONG_SECRETS)
def test_what_is_wrong_with_a_secret_is_told_without_it(
    given: dict[str, str], expected: str
) -> None:
    """By its place."""
    with pytest.raises(SettingsError) as raised:
        load({f"MARKET_PULSE_API_{name}": value for name, value in given.items()})
    message = str(raised.value)
    assert expected in message
    for secret in (TOKEN, OTHER, "short-token-7", "a-short-key-of-nobody", "0123abcd"):
        assert secret not in message


def test_a_public_key_that_is_none_is_told(nowhere: Path) -> None:
    """At the start, and not to whoever asks first."""
    with pytest.raises(SettingsError, match="is no key for ES256, expected a public key"):
        load_with(nowhere, '[api]\njwt_algorithm = "ES256"', MARKET_PULSE_API_JWT_KEY=KEY)


WRONG_TABLES = [
    ("origin = []", "has 'origin', expected only origins"),
    ('origins = "https://example.com"', "expected a list of origins"),
    ('origins = ["https://example.com/page"]', "has 'https://example.com/page', expected a list"),
    ('origins = ["*"]', "has '*', expected a list of origins"),
    ('origins = ["https://me@example.com"]', "expected a list of origins"),
    ("metrics_open = 1", "is 1, expected true or false"),
    ('trusted_proxies = ["proxy"]', "has 'proxy', expected a list of addresses"),
    ('jwt_algorithm = "none"', "is 'none', expected one of HS256"),
    ("jwt_audience = 5", "is 5, expected the text"),
    ('public_url = "pulse.example.com"', "expected the address of the page"),
    ('public_url = "https://example.com/?key=1"', "expected the address of the page"),
    ("public_url = 5", "expected the address of the page"),
]


@pytest.mark.parametrize(("line", "expected"), WRONG_TABLES)
def test_what_is_wrong_in_the_table_is_told(nowhere: Path, line: str, expected: str) -> None:
    """As everywhere: what was found, and what was expected."""
    with pytest.raises(SettingsError) as raised:
        load_with(nowhere, f"[api]\n{line}")
    assert expected in str(raised.value)
    assert "[api] in given.toml" in str(raised.value)
