"""The commands of `hf-ssl` that have to do with the Hub."""

from pathlib import Path
from typing import Annotated

import typer

from .paths import require_path

_AllowLinks = Annotated[
    bool, typer.Option("--allow-links", help="Links and pictures of the card may lead out of the repository.")
]


def card(
    folder: Annotated[Path, typer.Argument(help="A repository: what pretrain, export or convert wrote.")],
    license: Annotated[
        str | None, typer.Option(help="Of the weights, as the Hub names it. [default: that of the present card]")
    ] = None,
    repo_id: Annotated[str | None, typer.Option(help="Where it will be on the Hub, user/name: for the code.")] = None,
    allow_links: _AllowLinks = False,
) -> None:
    """Write the model card again, from the weights, results.json and figures/; your notes in it stay.

    Notes stand between the marks <!-- notes --> and <!-- /notes -->.
    """
    require_path(folder, "The repository")
    from .card import run

    run(folder, license, repo_id, allow_links)


def push(
    folder: Annotated[Path, typer.Argument(help="A repository: what pretrain, export or convert wrote.")],
    repo_id: Annotated[str, typer.Argument(help="On the Hub, user/name; made where there is none.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch. [default: main]")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag of the commit, such as v1.")] = None,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace all of a repository that hf_ssl did not publish.")
    ] = False,
    allow_links: _AllowLinks = False,
    token: Annotated[
        str | None, typer.Option(help="[default: HF_TOKEN, or that of `hf auth login`, which nobody can look at]")
    ] = None,
) -> None:
    """Publish a repository on the Hub in one commit, or in none where it is there already.

    Sent are the encoder, pretraining/, the card, figures and results.json; never checkpoints, pickles or links.
    Refused are weights that the run in results.json did not make or that are not finite, tokens, and code.
    """
    require_path(folder, "The repository")
    from .push import run

    run(folder, repo_id, private or None, revision, tag, message, overwrite, allow_links, token)
