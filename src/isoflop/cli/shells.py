"""How bash, zsh and fish ask isoflop for completions: Click's way, with bash told of `name=value` words.

Loaded when a shell asks (main sees _ISOFLOP_COMPLETE) and by `isoflop completion`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)
from click.shell_completion import split_arg_string as words_of

from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    import click

VARIABLE = "_ISOFLOP_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line kind value typed cut=""
    typed="${COMP_LINE:0:COMP_POINT}"
    # readline takes what stands before a = for a word of its own where = breaks words
    case "$COMP_WORDBREAKS" in *=*)
        case "${typed##* }" in [a-z]*=*) cut="${typed##* }"; cut="${cut%%%%=*}=";; esac;;
    esac
    COMPREPLY=()
    for line in $(COMP_LINE="$typed" %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        kind="${line%%%%,*}"
        value="${line#*,}"
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null;;
            file) compopt -o default 2>/dev/null;;
            plain)
                value="${value#"$cut"}"
                case "$value" in *=) compopt -o nospace 2>/dev/null;; esac
                COMPREPLY+=("$(printf %%q "$value")");;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain described open response
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \
%(prog_name)s 2>/dev/null)}")
    for type key descr in ${response}; do
        if [[ "$type" == "dir" ]]; then
            _path_files -/
        elif [[ "$type" == "file" ]]; then
            _path_files -f
        elif [[ "$key" == *= ]]; then
            open+=("$key")
        elif [[ "$descr" == "_" ]]; then
            plain+=("$key")
        else
            described+=("$key:$descr")
        fi
    done
    [[ -n "$described" ]] && _describe -V unsorted described -U
    [[ -n "$plain" ]] && compadd -U -V unsorted -a plain
    [[ -n "$open" ]] && compadd -U -S '' -V unsorted -a open
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    # autoload from fpath, call function directly
    %(complete_func)s "$@"
else
    # eval or source, register function for later
    compdef %(complete_func)s %(prog_name)s
fi
"""


def _quietly(shell: ShellComplete, args: list[str], incomplete: str) -> list[CompletionItem]:
    """Click's completions; none where what stands on the line cannot be read."""
    try:
        return ShellComplete.get_completions(shell, args, incomplete)
    except (IsoflopError, OSError):
        return []


class Bash(BashComplete):
    """Bash, which is asked with the whole line: its own words break at every = and colon."""

    source_template = _BASH

    def source(self) -> str:
        """The script, for any bash from 4 on."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """(whole words, the word under the cursor)."""
        line = os.environ["COMP_LINE"]
        words = words_of(line)[1:]
        if not words or line[-1:].isspace():
            return words, ""
        return words[:-1], words[-1]

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may stand there."""
        return _quietly(self, args, incomplete)


class Zsh(ZshComplete):
    """Zsh, with no space behind `name=`."""

    source_template = _ZSH

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may stand there."""
        return _quietly(self, args, incomplete)


class Fish(FishComplete):
    """Fish, as Click has it; its script splits lines at commas, so that help holds none."""

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A line of the answer."""
        said = item.help.replace(",", ";") if item.help else None
        return super().format_completion(CompletionItem(item.value, type=item.type, help=said))

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """What may stand there."""
        return _quietly(self, args, incomplete)


def register() -> None:
    """Make these the ones that Click uses."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)


def script(shell: str, cli: click.Command) -> str:
    """What a shell has to read once to complete isoflop."""
    kind: type[ShellComplete] = {"bash": Bash, "zsh": Zsh, "fish": Fish}[shell]
    return kind(cli, {}, "isoflop", VARIABLE).source()
