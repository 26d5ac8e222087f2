"""Which URLs an endpoint may have, and in which form one is stored."""

from __future__ import annotations

import pytest

from shared.webhooks.url import UrlRefused, UrlRule

LOCAL = UrlRule(loopback=True)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Hooks.Example.COM:443/A?b=C", "https://hooks.example.com/A?b=C"),
        ("https://example.com/%C3%BC?q=%20", "https://example.com/%C3%BC?q=%20"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
        ("https://under_score.example.com/", "https://under_score.example.com/"),
        ("https://\uff41.example\u3002com/", "https://a.example.com/"),
    ],
)
def test_a_url_is_stored_in_its_usual_form(url: str, stored: str) -> None:
    assert UrlRule().checked(url) == stored
    assert UrlRule().checked(stored) == stored


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "must be a URL"),
        ("example.com/hooks", "must be a URL"),
        ("//example.com/hooks", "must be a URL"),
        ("https:example.com", "must be a URL"),
        ("https:///hooks", "must be a URL"),
        ("https://example.com:/", "must be a URL"),
        ("https://example.com:0/", "must be a URL"),
        ("https://example.com:99999/", "must be a URL"),
        ("https://example.com:٤٤٣/", "must be a URL"),
        ("https://[::1", "must be a URL"),
        ("https://a℀b.com/", "must be a URL"),
        ("ftp://example.com/", "must be a URL"),
        ("javascript:alert(1)", "must be a URL"),
        ("http://example.com/", "must begin with https://"),
        ("https://example.com:8443/", "must have port 443, not 8443"),
        ("https://ada@example.com/", "user or password"),
        ("https://ada:secret@example.com/", "user or password"),
        ("https://example.com@127.0.0.1/", "user or password"),
        ("https://example.com/#", "fragment"),
        ("https://example.com/a#b", "fragment"),
        ("https://example.com/ü", "percent-encode"),
        ("https://example.com/?q=ü", "percent-encode"),
        ("https://exam ple.com/", "spaces"),
        ("https://example.com/a b", "spaces"),
        ("https://example.com/\r\nX-Header: 1", "control characters"),
        ("https://example.com\\@localhost/", "backslashes"),
        ("https://127.0.0.1/", "IP address"),
        ("https://169.254.169.254/latest/meta-data", "IP address"),
        ("https://127.1/", "IP address"),
        ("https://2130706433/", "IP address"),
        ("https://0x7f.0.0.1/", "IP address"),
        ("https://0177.0.0.0x1/", "IP address"),
        ("https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "IP address"),
        ("https://127\u30020\u30020\u30021/", "IP address"),
        ("https://[::1]/", "IP address"),
        ("https://[::ffff:127.0.0.1]/", "IP address"),
        ("https://[fe80::1%25eth0]/", "IP address"),
        ("https://[v1.x]/", "IP address"),
        ("https://example.com./", "dot after its host"),
        ("https://a..example.com/", "letters, digits"),
        ("https://-a.example.com/", "letters, digits"),
        ("https://ex%61mple.com/", "letters, digits"),
        (f"https://{'a' * 64}.com/", "letters, digits"),
        (f"https://{'a.' * 130}com/", "letters, digits"),
        ("https://straße.example/", "xn--"),
        ("https://a\u200db.example/", "xn--"),
        ("https://a\u0627.example/", "xn--"),
        ("https://localhost/", "public"),
        ("https://intranet/", "public"),
        ("https://metadata.google.internal/", "public"),
        ("https://printer.local/", "public"),
        ("https://a.home.arpa/", "public"),
        (f"https://example.com/{'x' * 2029}", "at most 2,048"),
    ],
)
def test_a_url_that_breaks_a_rule_is_refused_with_it(url: str, rule: str) -> None:
    with pytest.raises(UrlRefused, match=rule):
        UrlRule().checked(url)


def test_the_longest_url_is_allowed() -> None:
    url = f"https://example.com/{'x' * 2028}"
    assert UrlRule().checked(url) == url


def test_other_ports_are_allowed_if_they_are_configured() -> None:
    rule = UrlRule(ports=(443, 8443))
    assert rule.checked("https://example.com:8443/") == "https://example.com:8443/"
    with pytest.raises(UrlRefused, match="must have port 443 or 8443, not 80"):
        rule.checked("https://example.com:80/")


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("http://127.0.0.1:9000/hooks", "http://127.0.0.1:9000/hooks"),
        ("http://localhost:80", "http://localhost/"),
        ("https://localhost:4433/", "https://localhost:4433/"),
        ("http://[::1]:9000/", "http://[::1]:9000/"),
    ],
)
def test_the_local_stack_may_call_this_machine_on_any_port(url: str, stored: str) -> None:
    assert LOCAL.checked(url) == stored
    with pytest.raises(UrlRefused):
        UrlRule().checked(url)


@pytest.mark.parametrize("url", ["http://127.0.0.2:9000/", "http://10.0.0.1/", "http://example.com/", "https://127.1/"])
def test_the_local_stack_calls_no_other_address(url: str) -> None:
    with pytest.raises(UrlRefused):
        LOCAL.checked(url)
