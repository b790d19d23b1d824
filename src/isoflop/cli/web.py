"""`isoflop web`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isoflop.cli.manual import Command
from isoflop.errors import BadInput, MissingData

if TYPE_CHECKING:
    from isoflop.web import Door

SHORTEST = 16


@click.command("web", cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address needs --token.")
@click.option("--token", help="What who asks must show: at least 16 characters.")
@click.option(
    "--name", "names", multiple=True, help="A name that this page is reached under (--host only); repeatable."
)
def command(port: int, host: str, token: str | None, names: tuple[str, ...]) -> None:
    """Serve the page and its API on this machine: plan, solve, audit and compare without a flag.

    The page answers on 127.0.0.1 alone. Another address is served only with a token, which the browser keeps in a
    cookie once it was given as ?token=...

    \b
    isoflop web
    isoflop web --port 9000
    isoflop web --host 0.0.0.0 --name gpu-box.lan --token "$(openssl rand -hex 16)"
    """
    try:
        from isoflop.web import serve
    except ImportError as error:
        raise MissingData(f"the page needs the extra 'web' ({error.name}): pip install 'isoflop[web,plot]'") from None
    door = door_of(host, token, names)
    port = port or free_port(host)
    shown = f"?token={token}" if token else ""
    click.echo(
        f"http://{'127.0.0.1' if host in {'127.0.0.1', 'localhost'} else names[0] if names else host}:{port}/{shown}"
    )
    click.echo("Stop with Ctrl-C.", err=True)
    serve(door, host=host, port=port)


def door_of(host: str, token: str | None, names: tuple[str, ...]) -> Door:
    """Who may ask. Raises: BadInput for another address than loopback without a token, or a token that is guessed."""
    from isoflop.web import Door
    from isoflop.web.safety import LOOPBACK

    if token is not None and len(token) < SHORTEST:
        raise BadInput(f"--token has {len(token)} characters; give at least {SHORTEST}, as from: openssl rand -hex 16")
    if host in LOOPBACK:
        return Door(hosts=LOOPBACK | set(names), token=token or "")
    if token is None:
        raise BadInput(
            f"--host {host} lets others in: give a --token of {SHORTEST} characters or more, or leave --host out"
        )
    own = set() if host in {"0.0.0.0", "::"} else {f"[{host}]" if ":" in host else host.lower()}  # noqa: S104 - compared
    if not own and not names:
        raise BadInput(f"--host {host} is every address: say with --name under which name or address it is opened")
    return Door(hosts=LOOPBACK | own | {name.lower() for name in names}, token=token)


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])
