"""Settings of an endpoint: what copying adds is removed, and the rest is refused by its name and never quoted."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ModelMisconfigured
from shared.llm.openai.configuration import BaseUrl, api_key_of, base_url_of, proxy_for

KEY = "sk-proj-A1_b2-C3"
URL = "https://llm.example/v1"
AZURE = "https://x.openai.azure.com/openai/deployments/gpt"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"{KEY}\n",
        f"\r\n  {KEY}\t ",
        f"\ufeff{KEY}",
        "sk-proj-\u200bA1_b2-C3\u200b",
        "sk-proj-A1\u00ad_b2-C3",
        f'"{KEY}"',
        f"'{KEY}'",
        f"\u201c{KEY}\u201d\n",
        f"`{KEY}`",
        f"Bearer {KEY}",
        f"bearer\u00a0{KEY}",
        f"Authorization: Bearer {KEY}",
        f'"Bearer {KEY}"',
        f"OPENAI_API_KEY={KEY}",
        f'export OPENAI_API_KEY="{KEY}"',
        f'{{"OPENAI_API_KEY": "{KEY}"}}',
    ],
)
def test_a_key_is_taken_as_it_was_meant(text: str) -> None:
    assert api_key_of(text, "ModelSecret") == KEY


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "is empty; put the key"),
        (" \n", "is empty"),
        ("Bearer ", "is empty"),
        ('""', "is empty"),
        ("\u200b", "is empty"),
        ("sk\u2013proj-secret", r"character 3 is U\+2013 \(EN DASH\); copy the key from the provider again"),
        ("sk\u2011proj-secret", r"character 3 is U\+2011 \(NON-BREAKING HYPHEN\)"),
        ("sk-\u2026secret", r"character 4 is U\+2026 \(HORIZONTAL ELLIPSIS\)"),
        ("sk-\nsecret", r"character 4 is U\+000A \(a control character\)"),
        ("sk-secret one", r"character 10 is U\+0020 \(SPACE\)"),
        ("sk-\udc80secret", r"character 4 is U\+DC80 \(a control character\)"),
        ('{"a": "secret", "b": "secret"}', "must be the key as plain text, not JSON"),
        ('{"a": 1}', "not JSON"),
        ("{secret", "not JSON"),
    ],
)
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(text: str, rule: str) -> None:
    with pytest.raises(ModelMisconfigured, match=rf"^ModelSecret \(the model's key\).*{rule}") as refused:
        api_key_of(text, "ModelSecret")
    assert "secret" not in refused.value.message


@given(st.text())
def test_any_text_is_a_key_that_a_header_can_hold_or_is_refused(text: str) -> None:
    try:
        key = api_key_of(text, "ModelSecret")
    except ModelMisconfigured:
        return
    assert key.isascii()
    assert key.isprintable()
    assert " " not in key
    assert api_key_of(key, "ModelSecret") == key


@pytest.mark.parametrize(
    ("text", "url", "query"),
    [
        (URL, URL, ()),
        (f"{URL}/", URL, ()),
        (f" '{URL}'\n", URL, ()),
        (f"\ufeff{URL}\u200b", URL, ()),
        (f"{URL}/chat/completions", URL, ()),
        (f"{URL}/chat/completions/", URL, ()),
        (f"{URL}/responses", URL, ()),
        ("HTTPS://LLM.example:8443/v1", "https://LLM.example:8443/v1", ()),
        ("http://localhost:11434/v1", "http://localhost:11434/v1", ()),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", ()),
        ("http://my_host/v1", "http://my_host/v1", ()),
        ("https://api.openai.com", "https://api.openai.com/v1", ()),
        ("https://llm.example", "https://llm.example", ()),
        (f"{AZURE}?api-version=2024-06-01", AZURE, (("api-version", "2024-06-01"),)),
        (f"{AZURE}/chat/completions?api-version=2024-06-01&a=&a=1", AZURE,
         (("api-version", "2024-06-01"), ("a", ""), ("a", "1"))),
        (f"{URL}?", URL, ()),
    ],
)  # fmt: skip
def test_a_base_url_is_taken_as_it_was_meant(text: str, url: str, query: tuple[tuple[str, str], ...]) -> None:
    base = base_url_of(text, "ModelBaseUrl")
    assert base == BaseUrl(url, query)
    assert base_url_of(str(base), "ModelBaseUrl") == base


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must begin with https:// or http://; write it as in https://api.openai.com/v1"),
        ("secret.example/v1", "must begin with https://"),
        ("localhost:11434/v1", "must begin with https://"),
        ("//secret.example/v1", "must begin with https://"),
        ("https:/secret.example/v1", "must begin with https://"),
        ("ftp://secret.example/v1", "must begin with https://"),
        ("htps://secret.example/v1", "must begin with https://"),
        ("https://user:secret@llm.example/v1", "must have no user name or password; remove them"),
        ("https://user@llm.example/v1", "must have no user name or password"),
        ("https://secret.example/v1#top", "must have no fragment; remove the #"),
        ("https://secret.example/v1 ?x", r"character 26 is U\+0020 \(SPACE\)"),
        ("https://secret\u2013x.example/v1", r"character 15 is U\+2013 \(EN DASH\)"),
        ("https:///v1", "must have a valid host and port"),
        ("https://:8000/v1", "must have a valid host and port"),
        ("https://secret.example:99999/v1", "must have a valid host and port"),
        ("https://secret.example:port/v1", "must have a valid host and port"),
        ("http://[::1/v1", "must have a valid host and port"),
        ("https://secret..example/v1", "must have a valid host and port"),
        (f"https://{'a' * 64}.example/v1", "must have a valid host and port"),
        ("https://{secret}.example/v1", "must have a valid host and port"),
    ],
)
def test_a_base_url_that_cannot_be_one_is_refused_and_not_shown(text: str, rule: str) -> None:
    with pytest.raises(ModelMisconfigured, match=rf"^ModelBaseUrl \(the model's base URL\) .*{rule}") as refused:
        base_url_of(text, "ModelBaseUrl")
    assert "secret" not in refused.value.message


@given(st.text() | st.text("htps:/.@#?[]%-aé1 ").map(lambda text: f"https://{text}"))
def test_any_other_text_is_refused_as_a_base_url(text: str) -> None:
    try:
        base = base_url_of(text, "ModelBaseUrl")
    except ModelMisconfigured:
        return
    assert httpx2.URL(base.url).host, "the HTTP client takes it"
    assert base_url_of(str(base), "ModelBaseUrl") == base


def test_only_azures_dated_api_gets_the_key_in_its_own_header() -> None:
    assert base_url_of(f"{AZURE}?api-version=1", "ModelBaseUrl").headers(KEY) == {"api-key": KEY}
    assert base_url_of(f"{URL}?version=1", "ModelBaseUrl").headers(KEY) == {}


def with_variables(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "http://lower.example", "HTTPS_PROXY": "http://upper.example"}, "http://lower.example"),
        ({"ALL_PROXY": "http://all.example"}, "http://all.example"),
        ({"ALL_PROXY": "http://all.example", "HTTPS_PROXY": "https://own.example"}, "https://own.example"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://user:p%40ss@proxy.example"}, "http://user:p%40ss@proxy.example"),
        ({"HTTPS_PROXY": " 'http://proxy.example' "}, "http://proxy.example"),
        ({"HTTP_PROXY": "not a proxy"}, None),
        ({"ALL_PROXY": "not a proxy", "NO_PROXY": "other.example, llm.example"}, None),
        ({"ALL_PROXY": "not a proxy", "NO_PROXY": ".example"}, None),
        ({"ALL_PROXY": "not a proxy", "NO_PROXY": "*.example"}, None),
        ({"ALL_PROXY": "not a proxy", "NO_PROXY": "a.example, *"}, None),
        (
            {"ALL_PROXY": "http://all.example", "NO_PROXY": "m.example,,10.0.0.0/8,llm.example:8443"},
            "http://all.example",
        ),
    ],
)
def test_the_proxy_is_that_of_the_endpoint(
    variables: Mapping[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_variables(monkeypatch, variables)
    assert proxy_for(BaseUrl(URL)) == proxy


@pytest.mark.parametrize(
    ("url", "exception"),
    [
        ("http://10.1.2.3:8000/v1", "10.0.0.0/8"),
        ("http://10.1.2.3:8000/v1", "10.1.2.3"),
        ("http://[::1]:8000/v1", "::1"),
        ("http://[::1]:8000/v1", "[::1]"),
        ("http://[fd00::1]/v1", "fd00::/8"),
        ("http://LLM.example:8443/v1", "llm.example:8443"),
    ],
)
def test_no_proxy_excepts_addresses_networks_and_ports(
    url: str, exception: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_variables(monkeypatch, {"ALL_PROXY": "not a proxy", "NO_PROXY": exception})
    assert proxy_for(BaseUrl(url)) is None


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("HTTPS_PROXY", "gopher://secret.example", "must begin with http://, https://, socks5:// or socks5h://"),
        ("all_proxy", "socks4://secret.example", "must begin with http://"),
        ("https_proxy", "http://", "must have a valid host and port"),
        ("https_proxy", "http://secret.example:port", "must have a valid host and port"),
        ("HTTPS_PROXY", "http://[secret", "must have a valid host and port"),
        ("HTTPS_PROXY", "http://user:sec ret@p.example", r"character 16 is U\+0020 \(SPACE\)"),
        ("ALL_PROXY", "socks5://secret.example:1080", "is a SOCKS proxy, which needs the Python package socksio"),
        (
            "ALL_PROXY",
            "socks5h://secret.example",
            "install socksio, set an HTTP proxy, or name the endpoint's host in NO_",
        ),
    ],
)
def test_a_proxy_that_cannot_be_one_is_refused_by_its_variable(
    variable: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_variables(monkeypatch, {variable: value})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(
        ModelMisconfigured, match=rf"^{variable} \(the proxy for the model's endpoint\) .*{rule}"
    ) as refused:
        proxy_for(BaseUrl(URL))
    assert "NO_PROXY" in refused.value.message, "what to do"
    assert "secret" not in refused.value.message


def test_a_socks_proxy_is_used_if_its_package_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with_variables(monkeypatch, {"ALL_PROXY": "socks5://proxy.example:1080"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    assert proxy_for(BaseUrl(URL)) == "socks5://proxy.example:1080"
