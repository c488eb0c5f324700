from __future__ import annotations

import pytest

from isoflop.tracking.redaction import clip, hide_userinfo, redact


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


@pytest.mark.parametrize("length", [0, 49, 50, 51, 5000])
def test_clipping_keeps_begin_and_end(length):
    text = "".join(chr(ord("a") + i % 26) for i in range(length))
    short = clip(text, 50)
    assert len(short) == min(length, 50)
    assert (short[:20], short[-20:]) == (text[:20], text[-20:])
