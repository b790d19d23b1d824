"""A config.json from the Hugging Face Hub, asked for by `hf:org/name[@revision]` and by nothing else.

The library huggingface_hub fetches and caches it (extra `hub`); what is cached is read without a network. Only
config.json is fetched, never code or weights.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import BadInput, IsoflopError, MissingData, shorten
from isoflop.model.config import reading_of
from isoflop.quantity.json_file import MOST_BYTES, read_json

if TYPE_CHECKING:
    from isoflop.model.config import Reading

FILE = "config.json"
_NAME = re.compile(r"(?P<repository>[\w.-]{1,96}/[\w.-]{1,96}|[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,100}))?")
_INSTEAD = "or download its config.json by other means and give the path of that file"


def config_of(name: str) -> Reading:
    """The reading of the config.json that the Hub has under `name` ("org/name", "org/name@revision").

    Raises: BadInput for what is no name or not on the Hub; MissingData where the library, the network or the file is
    missing, and says what to do instead.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise BadInput(f"'hf:{shorten(name)}' is no name on the Hub; write hf:org/name or hf:org/name@revision.")
    repository, revision = found["repository"], found["revision"]
    path = _fetched(repository, revision)
    source = f"hf:{repository}@{path.parent.name[:12]}"
    reading = reading_of(read_json(path, infinity=True), f"hf:{name}, {FILE}", repository.rpartition("/")[2])
    return reading.renamed(reading.spec.name, f"{source}, {reading.spec.source}")


def _fetched(repository: str, revision: str | None) -> Path:
    """The path of the file in the library's cache."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # it would tell what else is installed, and ask who asks
    try:
        from huggingface_hub import errors, hf_hub_download
        from huggingface_hub.utils import disable_progress_bars
    except ImportError as error:
        raise MissingData(
            f"hf:{repository} needs the library huggingface_hub, which is not installed; install the extra with "
            f"pip install 'isoflop[hub]', {_INSTEAD}."
        ) from error
    disable_progress_bars()
    try:
        there = _is_there(repository, revision)
        return Path(hf_hub_download(repository, FILE, revision=revision, local_files_only=not there))
    except IsoflopError:
        raise
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise MissingData(_unreachable(repository)) from error
    except errors.GatedRepoError as error:
        raise MissingData(
            f"hf:{repository} is gated: accept its terms on the Hub and log in there (hf auth login), {_INSTEAD}."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BadInput(
            f"the Hub has no model '{shorten(repository)}', or it is private and needs a login (hf auth login); look "
            f"for its exact name, {_INSTEAD}."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise BadInput(
            f"hf:{repository} has no revision '{shorten(revision or '')}'; leave it out, {_INSTEAD}."
        ) from error
    except errors.EntryNotFoundError as error:
        raise MissingData(f"hf:{repository} holds no {FILE}; give the path of one, or of a GGUF file.") from error
    except errors.HFValidationError as error:
        raise BadInput(f"'hf:{shorten(repository)}' is no name on the Hub; write hf:org/name.") from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise MissingData(f"{_unreachable(repository)} It said: {shorten(str(error), most=120)}") from error


def _is_there(repository: str, revision: str | None) -> bool:
    """Whether the Hub can be asked; what is no config.json by its size is refused before it is fetched."""
    from huggingface_hub import constants, errors, get_hf_file_metadata, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        size = get_hf_file_metadata(hf_hub_url(repository, FILE, revision=revision)).size or 0
    except (errors.HfHubHTTPError, errors.EntryNotFoundError, errors.HFValidationError):
        raise
    except Exception:  # noqa: BLE001 - whatever the transport raises; what is cached is still good
        return False
    if size > MOST_BYTES:
        raise BadInput(f"hf:{repository}: {FILE} has {size:,} bytes, more than the {MOST_BYTES:,} that are read.")
    return True


def _unreachable(repository: str) -> str:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return (
            f"hf:{repository} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it; unset that once with a "
            f"network, {_INSTEAD}."
        )
    return f"hf:{repository} is not in the cache, and the Hub cannot be reached; try again with a network, {_INSTEAD}."
