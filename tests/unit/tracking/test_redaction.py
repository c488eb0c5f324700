from __future__ import annotations

import pytest

from isoflop.tracking.redaction import clip, hide_secrets, hide_userinfo, redact, redact_tree


@pytest.mark.parametrize(
    "key", ["token", "HF_TOKEN", "db.password", "passwd", "api_key", "API-KEY", "apikey", "aws.secret", "dsn", "cookie"]
)
def test_a_key_that_names_a_secret_hides_its_text(key):
    assert redact(key, "hush") == "REDACTED"


@pytest.mark.parametrize("key", ["optim.lr", "model.family", "data.name", "keep", "passing"])
def test_other_keys_show_their_text(key):
    assert redact(key, "0.1") == "0.1"


def test_an_empty_text_stays_empty():
    assert redact("token", "") == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:hush@host:80/a?b=c@d", "https://REDACTED@host:80/a?b=c@d"),
        ("https://t0ken@host/", "https://REDACTED@host/"),
        ("see https://host/a and mail me@host", "see https://host/a and mail me@host"),
        ("a postgresql://u:p@db/x, b s3://k:s@bucket", "a postgresql://REDACTED@db/x, b s3://REDACTED@bucket"),
        ("sqlite:////home/me/x.sqlite", "sqlite:////home/me/x.sqlite"),
    ],
)
def test_addresses_lose_user_and_password(text, shown):
    assert hide_userinfo(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://host/a?token=hush&b=1 failed", "GET https://host/a?token=REDACTED&b=1 failed"),
        ("PGPASSWORD=hush psql", "PGPASSWORD=REDACTED psql"),
        ('{"api_key": "hush", "lr": 0.1}', '{"api_key": "REDACTED", "lr": 0.1}'),
        ("AWS_SECRET_ACCESS_KEY=hush", "AWS_SECRET_ACCESS_KEY=REDACTED"),
        ("Authorization: Bearer hush", "Authorization: Bearer REDACTED"),
        ("password=REDACTED at s3://k:hush@b", "password=REDACTED at s3://REDACTED@b"),
        ("expected 197 tokens: 4 given", "expected 197 tokens: 4 given"),
        ("the secret is out", "the secret is out"),
    ],
)
def test_what_a_text_gives_to_a_secret_s_name_is_hidden(text, shown):
    assert hide_secrets(text) == shown
    assert hide_secrets(shown) == shown


def test_a_tree_loses_its_secrets_and_keeps_its_shape():
    tree = {"data": {"api_key": "hush", "name": "s3://k:hush@b", "tokens": 4}, "list": ["a", {"dsn": "x"}], "lr": None}
    assert redact_tree(tree) == {
        "data": {"api_key": "REDACTED", "name": "s3://REDACTED@b", "tokens": 4},
        "list": ["a", {"dsn": "REDACTED"}],
        "lr": None,
    }


@pytest.mark.parametrize("length", [0, 49, 50, 51, 5000])
def test_clipping_keeps_begin_and_end(length):
    text = "".join(chr(ord("a") + i % 26) for i in range(length))
    short = clip(text, 50)
    assert len(short) == min(length, 50)
    assert (short[:20], short[-20:]) == (text[:20], text[-20:])
