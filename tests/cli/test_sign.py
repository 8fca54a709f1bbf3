"""`imgcdn sign`."""

import io
import re
import time
from pathlib import Path

import pytest

from imgcdn.cli import main
from imgcdn.core.request.signing import Signatures, parse_signing_key

NEW = "new:" + "1f" * 32
OLD = "old:" + "2e" * 16
RULE = Signatures((parse_signing_key(NEW), parse_signing_key(OLD)), required=True)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder without pictures: to sign, none are needed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGCDN_SIGNING_KEYS", f"{NEW} {OLD}")


def expiry(url: str) -> int | None:
    path, _, query = re.sub(r"^(https?:)?//[^/]+", "", url).partition("?")
    return RULE.check(path, query)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["sign", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        pytest.param("/img/a.jpg?w=9", "/img/a.jpg?w=9&kid=new&s=", id="a path"),
        pytest.param("/img/a.jpg", "/img/a.jpg?kid=new&s=", id="no query"),
        pytest.param("https://img.test:8443/img/a.jpg?w=9", "https://img.test:8443/img/a.jpg?w=9&kid=", id="a host"),
        pytest.param("//img.test/img/a.jpg", "//img.test/img/a.jpg?kid=new&s=", id="no scheme"),
        pytest.param("/img/a ü.jpg?dl=a b", "/img/a%20%C3%BC.jpg?dl=a%20b&kid=", id="characters to encode"),
        pytest.param("/img/a%20b.jpg?dl=a+b", "/img/a%20b.jpg?dl=a+b&kid=", id="encoded already"),
        pytest.param("/img?url=https://a.test/b?c=1", "/img?url=https://a.test/b?c=1&kid=", id="a source in the query"),
        pytest.param("/.netlify/images?url=/a.jpg", "/.netlify/images?url=/a.jpg&kid=new&s=", id="netlify"),
        pytest.param("/_image?href=/a.jpg", "/_image?href=/a.jpg&kid=new&s=", id="astro"),
    ],
)
def test_a_url_is_signed(url: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    [signed] = printed(capsys, url)

    assert signed.startswith(begins)
    assert expiry(signed) is None


def test_a_path_prefix_is_not_signed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IMGCDN_PATH_PREFIX", "/pictures")
    signed, bare = printed(capsys, "https://a.test/pictures/img/a.jpg?w=9", "/img/a.jpg?w=9")

    assert signed == f"https://a.test/pictures{bare}"
    assert expiry(bare) is None


def test_each_line_of_the_standard_input_gives_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("/img/a.jpg\n\n  /img/b.jpg?w=9\r\n"))

    assert [line.partition("&s=")[0] for line in printed(capsys)] == [
        "/img/a.jpg?kid=new",
        "",
        "/img/b.jpg?w=9&kid=new",
    ]


@pytest.mark.parametrize(("written", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3_600), ("7d", 604_800)], ids=str)
def test_a_url_expires_after_a_time(written: str, seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = int(time.time())
    [signed] = printed(capsys, "/img/a.jpg", "--expires-in", written)

    assert before + seconds <= (expiry(signed) or 0) <= time.time() + seconds


def test_a_url_expires_at_a_time_and_is_signed_with_a_chosen_key(capsys: pytest.CaptureFixture[str]) -> None:
    [signed] = printed(capsys, "--kid", "old", "--exp", "99999999999", "/img/a.jpg")

    assert signed.startswith("/img/a.jpg?exp=99999999999&kid=old&s=")
    assert expiry(signed) == 99_999_999_999


def test_the_keys_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMGCDN_SIGNING_KEYS")
    (tmp_path / "keys.toml").write_text(f'signing_keys = ["{OLD}"]\nrequire_signature = true\n', encoding="utf-8")

    assert main(["sign", "--config", "keys.toml", "/img/a.jpg"]) == 0


def test_what_only_the_service_needs_may_be_missing(tmp_path: Path) -> None:
    header = '{ file = "/nonexistent/secret" }'
    (tmp_path / "imgcdn.toml").write_text(
        f'mounts."/cms" = {{ base = "https://cms.test/", headers = {{ Authorization = {header} }} }}', encoding="utf-8"
    )

    assert main(["check"]) == 2
    assert main(["sign", "/img/a.jpg"]) == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("/pictures/a.jpg", "is not the URL of a picture", id="no dialect"),
        pytest.param("ftp://a.test/img/a.jpg", "is not a URL to sign", id="another scheme"),
        pytest.param("img/a.jpg", "is not a URL to sign", id="no slash"),
        pytest.param("", "is not a URL to sign", id="an empty argument"),
        pytest.param("/img/a.jpg#top", "without a # part", id="a fragment"),
        pytest.param("/img/../a.jpg", "has . or .. in its path", id="a dot segment"),
        pytest.param("/img/%2E%2e/a.jpg", "has . or .. in its path", id="a dot segment, encoded"),
        pytest.param("/img/a.jpg?w=1&w=2", "has 'w' twice", id="a parameter twice"),
        pytest.param("/img/a.jpg?s=x", "has s already", id="a signature"),
        pytest.param("/img/a.jpg?exp=soon", "has an exp that is not a unix time", id="an expiry that is no time"),
    ],
)
def test_a_url_that_cannot_be_signed_is_refused(url: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sign", "/img/first.jpg", url, "/img/last.jpg"]) == 1

    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert f"imgcdn: {url} " in err
    assert reason in err


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        pytest.param(["--kid", "none"], 2, "--kid must be one of new, old, not 'none'", id="unknown key"),
        pytest.param(["--exp", "9"], 2, "9 has passed", id="an expiry in the past"),
        pytest.param(["--exp", "soon"], 2, "'soon' is not a unix time", id="no time"),
        pytest.param(["--expires-in", "1w"], 2, "is not a time such as", id="another unit"),
        pytest.param(["--expires-in", "0s"], 2, "is not a time such as", id="at once"),
        pytest.param(["--expires-in", "999999999d"], 2, "'999999999d' is too long", id="later than a service reads"),
        pytest.param(["--exp", "9" * 13], 2, "is not a unix time", id="a time later than a service reads"),
        pytest.param(["--expires-in", "1h", "--exp", "99999999999"], 2, "not allowed with", id="both"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str], status: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(["sign", *arguments, "/img/a.jpg"])
    except SystemExit as exit_:  # argparse
        found = exit_.code  # type: ignore[assignment]  # a number

    assert found == status
    assert reason in capsys.readouterr().err


def test_without_keys_nothing_is_signed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IMGCDN_SIGNING_KEYS", "")

    assert main(["sign", "/img/a.jpg"]) == 2
    assert "signing_keys is empty; set IMGCDN_SIGNING_KEYS=KID:HEX" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sign", "check"])
def test_a_mistake_in_a_key_does_not_show_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMGCDN_SIGNING_KEYS", f"{NEW}5 {OLD[4:]}")
    monkeypatch.setenv("IMGCDN_ROOT", ".")

    assert main([command]) == 2
    shown = capsys.readouterr().err
    assert "IMGCDN_SIGNING_KEYS[0] has a key that is not an even number of hexadecimal digits" in shown
    assert "IMGCDN_SIGNING_KEYS[1] has no colon" in shown
    assert "1f1f1f" not in shown
    assert "2e2e2e" not in shown


def test_check_names_the_keys_and_shows_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMGCDN_ROOT", ".")

    assert main(["check"]) == 0
    shown = capsys.readouterr().out
    assert '# signing_keys = ["new:...", "old:..."]  # IMGCDN_SIGNING_KEYS\n' in shown
    assert "1f1f1f" not in shown
