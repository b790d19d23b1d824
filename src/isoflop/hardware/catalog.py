"""The catalogues by name. An entry's file is read when it is asked for, and only once; names come from file names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from isoflop.errors import BadFile, UnknownName, shorten
from isoflop.hardware import names
from isoflop.hardware.choice import Choice, Wish, choose, commitment_of, day, matching
from isoflop.hardware.device_file import read_device
from isoflop.hardware.grid_tables import read_grid_tables
from isoflop.hardware.node_file import read_grids, read_node
from isoflop.hardware.price_file import own_prices, read_prices
from isoflop.quantity import read_toml

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from isoflop.hardware.site import Grid, Node, Price
    from isoflop.hardware.spec import Device

_T = TypeVar("_T")

HERE = Path(__file__).parent
UNSTATED = "-unstated"
"""Price files of listings that leave open which device is meant: `a100-unstated.toml` is for every `a100-...`."""


class Shelf(Mapping[str, _T], Generic[_T]):
    """A catalogue by name: its names are known at once, its entries are read when looked up."""

    __slots__ = ("_entry", "_names")

    def __init__(self, entries: tuple[str, ...], entry: Callable[[str], _T]) -> None:
        self._names = entries
        self._entry = entry

    def __getitem__(self, name: str) -> _T:
        if name not in self._names:
            raise KeyError(name)
        return self._entry(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


def device_names() -> tuple[str, ...]:
    """Every catalogued device, sorted."""
    return _listed("devices")


def devices() -> Mapping[str, Device]:
    """Every catalogued device by name; a file is read when its device is looked up.

    >>> [name for name in devices() if name.startswith("tpu-v5")]
    ['tpu-v5e', 'tpu-v5p']
    """
    return Shelf(device_names(), _device)


def device(name: str) -> Device:
    """A device by name, alias, unique beginning or the path of a device file.

    >>> device("TPU v4").peak_rate("bf16").value
    275000000000000.0
    """
    if names.is_path(name):
        return read_device(names.own_file(name, "device"))
    return _device(names.find("device", name, device_names(), _aliases("devices"), listing="isoflop devices"))


def node_names() -> tuple[str, ...]:
    """Every catalogued node, sorted."""
    return _listed("nodes")


def nodes() -> Mapping[str, Node]:
    """Every catalogued node by name; a file is read when its node is looked up."""
    return Shelf(node_names(), _node)


def node(name: str) -> Node:
    """A node by name, alias, unique beginning or the path of a node file."""
    if names.is_path(name):
        return read_node(names.own_file(name, "node"))
    return _node(names.find("node", name, node_names(), _aliases("nodes"), listing="isoflop nodes"))


def nodes_of(name: str) -> tuple[Node, ...]:
    """The nodes that are built of a device."""
    wanted = device(name).name
    return tuple(found for found in map(_node, _nodes_naming(wanted)) if found.device == wanted)


def prices(name: str | Device, folder: str | Path = "") -> tuple[Price, ...]:
    """Every price of a device, or of a price file given by path: those that name it, then those that may mean it.

    `folder` may hold more price files of the same names, like those that `skypilot.price_files` makes.

    >>> first = prices("tpu-v4")[0]
    >>> first.commitment, round(first.amount * 3600, 2)
    ('on-demand', 3.22)
    """
    if isinstance(name, str) and names.is_path(name):
        return own_prices(names.own_file(name, "price"))
    wanted = device(name).name if isinstance(name, str) else name.name
    found = [price for file in price_files_of(_listed("prices"), wanted) for price in _prices(file)]
    if folder:
        more = {path.stem: path for path in own_price_files(folder)}
        found += [price for file in price_files_of(tuple(more), wanted) for price in read_prices(more[file])]
    return tuple(price for price in found if not price.devices or wanted in price.devices)


def own_price_files(folder: str | Path) -> tuple[Path, ...]:
    """The price files of a folder of the user's own, sorted; a folder without any is refused."""
    path = Path(folder).expanduser()
    found = tuple(sorted(path.glob("*.toml"))) if path.is_dir() else ()
    if not found:
        what = "no price files (*.toml) in the folder" if path.is_dir() else "no folder"
        raise BadFile(
            f"{what} '{shorten(str(folder), most=200)}'. Give one that `isoflop prices update` wrote; a single file "
            "goes as price=FILE.toml."
        )
    return found


def price_files_of(files: tuple[str, ...], device_name: str) -> list[str]:
    """Of price files those that may hold prices of a device: its own, and those that leave open which is meant."""
    return [file for file in files if file == device_name or _may_mean(file, device_name)]


def choose_price(
    name: str | Device,
    *,
    provider: str = "",
    region: str = "",
    commitment: str = "",
    as_of: str | dt.date | None = None,
    folder: str | Path = "",
) -> Choice:
    """The price to reckon with: the latest on the day, of several the cheapest, all shown.

    Args:
        name: A device, by name or as it is (one of your own has no prices), or the path of a price file.
        provider: Part of a provider's name, or a short form (aws, gcp, azure).
        region: Part of a region's name.
        commitment: on-demand (where nothing is named), 1y, 3y, spot or assumed.
        as_of: The day; prices after it are not known yet. None is the latest there is.
        folder: Where more price files are.

    >>> round(choose_price("tpu-v4", commitment="3y").price.per_hour, 3)
    1.448
    """
    wish = Wish(provider=provider, region=region, commitment=commitment, as_of=day(as_of))
    return choose(prices(name, folder), name if isinstance(name, str) else name.name, wish)


def find_prices(
    name: str | Device | None = None,
    *,
    provider: str = "",
    region: str = "",
    commitment: str = "",
    as_of: str | dt.date | None = None,
    folder: str | Path = "",
) -> tuple[Price, ...]:
    """Every price of a device (None: of all devices) that fits, undated ones first, then the oldest.

    `provider` and `region` are parts of names; an empty `commitment` takes any; `as_of` leaves out what came later;
    `folder` may hold more price files.
    """
    wish = Wish(provider=provider, region=region, commitment=commitment and commitment_of(commitment), as_of=day(as_of))
    if name is not None:
        return matching(prices(name, folder), wish)
    found = [price for file in _listed("prices") for price in _prices(file)]
    found += [price for path in (own_price_files(folder) if folder else ()) for price in read_prices(path)]
    return matching(found, wish)


def grid_names() -> tuple[str, ...]:
    """Every catalogued grid, sorted."""
    return tuple(sorted({found.name for found in (*_grids(), *_more_grids())}))


def grids(name: str = "") -> tuple[Grid, ...]:
    """Every entry of a grid (one a source and year), or all entries; a grid goes by its title too ("Japan")."""
    if not name:
        return (*_grids(), *_more_grids())
    first = _named(name, _grids(), _aliases("grids"))
    if first:
        return first  # the tables are long, and a plan that names no grid does not need them
    everything = (*_grids(), *_more_grids())
    titles = {found.title.lower(): found.name for found in everything}
    wanted = names.find("grid", name, grid_names(), {**titles, **_aliases("grids")}, listing="isoflop grids")
    return tuple(found for found in everything if found.name == wanted)


def _named(name: str, among: tuple[Grid, ...], aliases: Mapping[str, str]) -> tuple[Grid, ...]:
    plain = name.strip().lower()
    return tuple(found for found in among if found.name == aliases.get(plain, plain))


def grid(name: str, *, source: str = "", year: int | None = None) -> Grid:
    """One entry of a grid: by a part of its source and by year where several are catalogued, else the first listed.

    >>> round(grid("france").intensity.value * 3.6e9, 1)  # g CO2e/kWh
    56.0
    """
    found = grids(name)
    fitting = [entry for entry in found if source.lower() in entry.source.lower() and year in {None, entry.year}]
    if not fitting:
        there = "; ".join(f"{entry.source} ({entry.year or 'year not stated'})" for entry in found)
        raise UnknownName("entry of grid", f"{name} {source} {year or ''}".strip(), [], listing=f"{there}.")
    return fitting[0]


def clear_memory() -> None:
    """Forget what was read, so that changed files are read again."""
    named = (_listed, _alias_tables, _aliases, _other_names, _nodes_naming)
    for remembered in (*named, _device, _node, _prices, _grids, _more_grids):
        remembered.cache_clear()


@cache
def _listed(shelf: str) -> tuple[str, ...]:
    files = [path.name for path in (HERE / shelf).iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


@cache
def _alias_tables() -> Mapping[str, object]:
    return read_toml(HERE / "aliases.toml")


@cache
def _aliases(shelf: str) -> Mapping[str, str]:
    table = _alias_tables().get(shelf, {})
    return {str(other): str(name) for other, name in table.items()} if isinstance(table, dict) else {}


@cache
def _other_names(shelf: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for other, name in _aliases(shelf).items():
        found[name] = (*found.get(name, ()), other)
    return found


@cache
def _device(name: str) -> Device:
    return read_device(HERE / "devices" / f"{name}.toml", name=name, aliases=_other_names("devices").get(name, ()))


@cache
def _node(name: str) -> Node:
    return read_node(HERE / "nodes" / f"{name}.toml", name=name, aliases=_other_names("nodes").get(name, ()))


@cache
def _nodes_naming(text: str) -> tuple[str, ...]:
    """Nodes whose files have `text` anywhere: which of all are worth parsing."""
    folder = HERE / "nodes"
    return tuple(name for name in node_names() if text in (folder / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _prices(file: str) -> tuple[Price, ...]:
    return read_prices(HERE / "prices" / f"{file}.toml")


@cache
def _grids() -> tuple[Grid, ...]:
    return read_grids(HERE / "grids.toml")


@cache
def _more_grids() -> tuple[Grid, ...]:
    """Grids of the tables, less what stands in grids.toml from the same source."""
    known = {(found.name, found.source) for found in _grids()}
    tables = read_grid_tables(HERE / "grid_tables.toml")
    return tuple(found for found in tables if (found.name, found.source) not in known)


def _may_mean(file: str, device_name: str) -> bool:
    family = file.removesuffix(UNSTATED)
    return family != file and f"{device_name}-".startswith(f"{family}-")
