"""Notes may lead to files of the repository; to other places only if their owner says so."""

import pytest

from hf_ssl.hub.card.links import links, without_code
from hf_ssl.hub.card.text import plain

ELSEWHERE = [
    "[x](https://e.com)",
    "![x](https://e.com/x.png)",
    "[x](<https://e.com>)",
    "[x]( //e.com 'title')",
    r"[x](https\://e.com)",
    "[x](https&#58;//e.com)",
    "[x](&#104;ttps://e.com)",
    "[x](ht\ttps://e.com)",
    "[x](\n//e.com)",
    "[![x](figures/x.png)](//e.com)",
    "[x][y]\n\n[y]: https://e.com",
    "[y]: <//e.com>",
    "[y]:\n  mailto:a@e.com",
    "<https://e.com>",
    "<mailto:a@e.com>",
    "https://e.com as it stands",
    "see www.e.com",
    "ftp://e.com",
    "<a href=https://e.com>x</a>",
    "<a href = '//e.com'>x</a>",
    '<img src="//e.com/x.png">',
    '<img alt=">" src=//e.com/x.png>',
    "<img/src=//e.com>",
    "<img src=&#x2f;/e.com>",
    '<img srcset="figures/x.png 1x, //e.com/x.png 2x">',
    "<video poster='https&colon;//e.com'>",
    '<p style="background: url(//e.com/x)">',
    "<p title='[x](//e.com)'>",
    "<IMG SRC=HTTPS://E.COM>",
    "![x](data:image/png;base64,AAAA)",
    "`[x](https://e.com)`",
    "    [x](https://e.com)",
    "```\nhttps://e.com\n```",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_other_places(text):
    running, outside, elsewhere = links(text)
    assert elsewhere and not running and not outside


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:a)",
        "[x](JavaScript&colon;a)",
        "[x](java\nscript:a)",
        "[x]: vbscript:a",
        "<a href='java&#x0A;script:a'>",
        "[x](data:text/html,a)",
        "![x](data:image/svg+xml,a)",
        "<javascript:a>",
    ],
)
def test_code(text):
    assert links(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "![x](../x.png)",
        "[x](/etc/x)",
        "[x](a/../../x)",
        "[x](a/%2e%2e/x)",
        "<img src=/x.png>",
        "[x]: ../x",
        "[x](\\\\x)",
    ],
)
def test_paths_outside(text):
    running, outside, elsewhere = links(text)
    assert not running and (outside or elsewhere)


@pytest.mark.parametrize(
    "text",
    [
        "![x](figures/x.png) [x](#the-embedding) [x](pretraining/config.json 'a: b') <img src='figures/x.png'>",
        "a: b, 10:30, 1 // 2, x[3]: 4 and x](y, either/or, 3 < 4 = 5, a..b, ... and so on, `<details>` [1]: as said",
        "Mail me: a@b.org. <p style='color: red'>x</p> <br/> | a=b | \\[x\\](https&#58;//e.com) &lt;https&#58;//e",
        "SimCLR, 2020: [arXiv:2002.05709](https://arxiv.org/abs/2002.05709).",
    ],
)
def test_what_stays_here(text):
    assert links(text) == ([], [], [])


@pytest.mark.parametrize("text", [*ELSEWHERE, "[x](javascript:a)", "[x]: /etc/x", "<a href=/x>", "![x](../x.png)"])
def test_shown_text_is_no_link(text):
    assert links(plain(text)) == ([], [], [])


def test_blocks_of_code():
    assert without_code("a\n```sh\nb\n```\nc\n````\n```\nd\n````\ne") == "a\nc\ne"
    assert without_code("a\n```\nb\n``\nc") == "a\n```\nb\n``\nc"  # never closed
    assert without_code("a\n    ```\nb\n    ```") == "a\n    ```\nb\n    ```"
