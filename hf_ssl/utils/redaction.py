"""Tokens, passwords and private keys: what nobody but their owner may read, taken out of texts and command lines."""

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress

HIDDEN = "***"
_HANDED_OVER = "HF_SSL_HIDDEN_ARGUMENTS"
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SHORTEST = 6  # a shorter one would be found in ordinary words
_OPTION = r"--?[\w-]*(?:token|password|passwd|secret|api[-_]?key)"
_AFTER_OPTION = re.compile(rf"({_OPTION}(?:=|\s+)['\"]?)(?!-)[^\s'\"\\]+", re.I)
# What looks like a secret; what of it may be shown is group 1.
_SECRETS = {
    "a token": r"()\b(?:hf_[A-Za-z0-9]{30,}|hf_(?=[A-Za-z]*\d|[a-z]*[A-Z])[A-Za-z0-9]{16,}|"
    r"hf_(?:oauth|jwt)_[\w.-]{16,}|api_org_[A-Za-z0-9]{30,}|gh[opsru]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|"
    r"AKIA[0-9A-Z]{16}|sk-(?=[\w-]*\d)[\w-]{32,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})",
    "a token of a request": r"(\bauthorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+|"
    r"\bbearer\s+(?=\w*\d))[\w+/~.=-]{8,}",
    "a signed address": r"([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|signature|sig|(?:access_|auth_)?token|"
    r"api_?key|password)=)[^&\s\"'<>\\#]+",
    "a password in an address": r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@\"'<>\\?#]*:[^/\s@\"'<>\\?#]+(?=@)",
    "a private key": r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^\"<>]*?(?=-----END|[\"<>]|\Z)",
}
_SECRETS = {what: re.compile(pattern, 0 if what == "a token" else re.I) for what, pattern in _SECRETS.items()}
_in_use: set[str] = set()


def remember(secret: str | bool | None) -> None:
    """Have `redacted` and `secret_in` know a token that is in use, whatever it looks like."""
    if isinstance(secret, str):
        _in_use.add(secret.strip())


def redacted(text: str) -> str:
    """
    The text with `***` in place of secrets: tokens in use (see `remember`, and HF_TOKEN), whatever looks like a token
    or a private key, passwords and signatures in addresses.
    """
    for secret in _known():
        text = text.replace(secret, HIDDEN)
    for pattern in _SECRETS.values():
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def secret_in(text: str) -> str | None:
    """What kind of secret stands in a text, such as "a token"; `None` without one."""
    if any(secret in text for secret in _known()):
        return "the token in use"
    for what, pattern in _SECRETS.items():
        if any(HIDDEN not in found[0] for found in pattern.finditer(text)):
            return what
    return None


def _known() -> list[str]:
    """Secrets in use, the longest first: one may be a part of another."""
    values = _in_use | {os.environ.get(name, "").strip() for name in _VARIABLES}
    return sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)


def redacted_command(text: str) -> str:
    """`redacted`, of a command line in one text: also what follows an option such as `--hub_token`."""
    return _AFTER_OPTION.sub(rf"\1{HIDDEN}", redacted(text))


def redacted_words(words: Sequence[str]) -> list[str]:
    """The same of the words of a command line."""
    secrets = [_value(words, place) for place in range(len(words))]
    return [
        word[: len(word) - len(secret)] + HIDDEN if secret else redacted(word)
        for word, secret in zip(words, secrets, strict=True)
    ]


def _value(words: Sequence[str], place: int) -> str | None:
    """The part of a word that is the value of an option for a secret."""
    name, sign, value = words[place].partition("=")
    if sign and name.startswith("-"):
        return value if re.fullmatch(_OPTION, name, re.I) else None
    before = words[place - 1] if place else ""
    return words[place] if re.fullmatch(_OPTION, before, re.I) and not words[place].startswith("--") else None


def command_line() -> list[str]:
    """
    The arguments of this process, which nobody else sees: secrets go from `sys.argv`, where trackers look, and from
    the title of the process, where other users of the machine look.

    For the title the process starts itself again, under the same number and with the secrets in its environment, which
    only its owner can read. It does not on Windows, nor where `sys.argv` are not the arguments that it was started
    with.
    """
    handed_over = json.loads(os.environ.pop(_HANDED_OVER, "{}"))
    words = [handed_over.get(str(place), word) for place, word in enumerate(sys.argv[1:])]
    shown = redacted_words(words)
    hidden = {place: word for place, word in enumerate(words) if word != shown[place]}
    if hidden and sys.orig_argv[-len(words) :] == words and os.name == "posix":
        again = [sys.executable, *sys.orig_argv[1 : -len(words)], *shown]
        with suppress(OSError):
            os.execve(sys.executable, again, os.environ | {_HANDED_OVER: json.dumps(hidden)})
    for place in hidden:
        remember(_value(words, place))
    sys.argv[1:] = shown
    return words
