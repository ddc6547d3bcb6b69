"""Where the page may listen: beyond this machine only with a certificate."""

import pytest

from lzsyncd.config import ConfigError, parse


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:8470", "[::1]:80", "localhost:65535", "127.0.0.2:1", "unix:/run/lzsyncd-web/page.sock"]
)
def test_the_page_listens_on_this_machine(listen: str):
    assert parse(f'[web]\nlisten = "{listen}"').web.listen == listen


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "[::]:8470", "sync.acme.test:443", "127.evil.test:80"])
def test_beyond_this_machine_it_needs_a_certificate(listen: str):
    with pytest.raises(ConfigError, match="is beyond this machine: name tls_cert and tls_key"):
        parse(f'[web]\nlisten = "{listen}"')
    config = parse(f'[web]\nlisten = "{listen}"\ntls_cert = "/c.pem"\ntls_key = "/k.pem"')
    assert (config.web.listen, str(config.web.tls_key)) == (listen, "/k.pem")


@pytest.mark.parametrize(
    "listen", ["8470", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "unix:page.sock", "a b:1", ":80"]
)
def test_what_is_no_address_is_refused(listen: str):
    with pytest.raises(ConfigError, match="must be an address like"):
        parse(f'[web]\nlisten = "{listen}"')


def test_a_socket_has_a_path_that_fits():
    with pytest.raises(ConfigError, match="must be an address like"):
        parse(f'[web]\nlisten = "unix:/{"a" * 107}"')


@pytest.mark.parametrize("key", ["tls_cert", "tls_key"])
def test_a_certificate_goes_with_its_key(key: str):
    with pytest.raises(ConfigError, match=rf"web\.{key}: goes with tls_key"):
        parse(f'[web]\n{key} = "/x.pem"')
