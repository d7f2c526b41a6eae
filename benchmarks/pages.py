"""What the benchmarks share: tables in Markdown, and their places in the README and the pages of docs/."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def lines_of(head: list[str], rows: list[list[str]], texts: tuple[str, ...] = ("",)) -> list[str]:
    """A Markdown table, in which all columns but `texts` are numbers."""
    rule = ["---" if name in texts else "---:" for name in head]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def page_with(name: str) -> Path | None:
    """The page that has a place for the table `name`, between `<!-- table NAME -->` and `<!-- /table -->`."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return next((page for page in pages if f"<!-- table {name} -->\n" in page.read_text(encoding="utf-8")), None)


def put_into_page(name: str, table: str) -> None:
    """Put `table` into the page that has a place for it, if there is one."""
    page = page_with(name)
    if page is not None:
        before, mark, rest = page.read_text(encoding="utf-8").partition(f"<!-- table {name} -->\n")
        page.write_text(before + mark + table + rest[rest.index("<!-- /table -->") :], encoding="utf-8")
