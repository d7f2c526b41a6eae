"""What the benchmarks share: tables in Markdown, and their places in README.md."""

from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def lines_of(head: list[str], rows: list[list[str]], texts: tuple[str, ...] = ("",)) -> list[str]:
    """A Markdown table, in which all columns but `texts` are numbers."""
    rule = ["---" if name in texts else "---:" for name in head]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def put_into_readme(name: str, table: str) -> None:
    """Put `table` between `<!-- table NAME -->` and the next `<!-- /table -->` of README.md, if they are there."""
    before, mark, rest = README.read_text(encoding="utf-8").partition(f"<!-- table {name} -->\n")
    if mark:
        README.write_text(before + mark + table + rest[rest.index("<!-- /table -->") :], encoding="utf-8")
