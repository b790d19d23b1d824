"""Claims checked in people's words: golden claims, a rumour with and without a slip, tables of runs, the command."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import isoflop
from isoflop import model, report
from isoflop.ask import CheckResult, RowResult, check_rows, check_runs, read_columns
from isoflop.ask.priors import priors
from isoflop.ask.reasons import slips
from isoflop.ask.solver import BOOK_SYSTEM
from isoflop.book import source
from isoflop.cli import main
from isoflop.cli.check import read_rows
from isoflop.errors import BadFile, BadInput, UnknownName
from isoflop.quantity import quantity, read

CLAIMS = tomllib.loads((Path(__file__).parents[1] / "golden" / "claims.toml").read_text(encoding="utf-8"))["claim"]
VERDICTS = {"consistent": "ok", "contradictory": "wrong", "untested": "unsupported"}
VALIDATOR = Draft202012Validator(report.schema())

RUMOUR = {
    "chips": "25000 A100",
    "train_time": "90-100 days",
    "train_flops": "2.15e25",
    "tokens": "13T",
    "active_params": "250B to 310B",
    "train_cost": "$63M",
    "mfu": "0.3 to 0.5",
    "price": "$1 to $2/chip/h",
}


def width(result: CheckResult, key: str) -> float:
    """The factor within which 90 % of the reconciled value lie."""
    claim = result.found.claim(key)
    assert claim is not None
    return (claim.high / claim.low) ** 0.5


def reconciled(result: CheckResult, key: str) -> float:
    claim = result.found.claim(key)
    assert claim is not None
    return claim.value


# --- golden claims


@pytest.mark.parametrize("case", CLAIMS, ids=[f"{case['id']} {case['text']}" for case in CLAIMS])
def test_claim(case: dict[str, object]) -> None:
    ask, knowns = str(case["ask"]), dict(case["knowns"])
    if ask == "check":
        result = isoflop.check(**knowns)
        verdict, factor = VERDICTS[result.verdict], result.factor
        assert set(case.get("suspects", ())) <= set(result.suspects)
        assert any(str(case.get("likely", "")) in reason for reason in (*result.reasons, ""))
        if "likely" in case:
            assert any(str(case["likely"]) in reason for reason in result.reasons)
    else:
        says = read(str(case["says"]), quantity(ask)).spread.median
        factor = says / isoflop.solve(ask, samples=100, **knowns).value
        verdict = "ok" if abs(factor - 1) <= float(case.get("tolerance", 0.05)) else "wrong"
    assert verdict == case["verdict"]
    if "factor" in case:
        assert factor == pytest.approx(case["factor"], rel=0.02)


def test_every_document_is_judged() -> None:
    assert {case["id"][0] for case in CLAIMS} == set("01234")
    assert {case["verdict"] for case in CLAIMS} == {"ok", "wrong", "unsupported"}


# --- the rumour about GPT-4


def test_the_rumour_is_consistent_and_tightens_the_priors() -> None:
    found = isoflop.check(**RUMOUR)
    assert (found.verdict, found.dof, found.suspects) == ("consistent", 3, ())
    assert found.chi2 == pytest.approx(2.0, rel=0.05)
    assert found.p == pytest.approx(0.58, abs=0.02)
    assert reconciled(found, "mfu") == pytest.approx(0.345, rel=0.01)
    assert width(found, "mfu") == pytest.approx(1.09, abs=0.01)
    assert reconciled(found, "price") * 3600 == pytest.approx(1.13, rel=0.01)
    assert width(found, "price") == pytest.approx(1.10, abs=0.02)


def test_26t_parameters_are_not() -> None:
    found = isoflop.check(**{**RUMOUR, "active_params": "26T"})
    assert found.verdict == "contradictory"
    assert found.chi2 == pytest.approx(2970, rel=0.07)
    assert set(found.suspects) == {"active_params", "tokens", "flops_per_param_token"}
    assert found.factor == pytest.approx(94, rel=0.01)
    assert found.implied("params") is not None
    size = found.implied("active_params")
    assert size is not None
    assert size[0] == pytest.approx(277e9, rel=0.01)
    assert found.reasons == ("a decimal slip of 100",)
    total = isoflop.check(**{key: value for key, value in RUMOUR.items() if key != "active_params"}, params="26T")
    assert set(total.suspects) == {"params", "active_share", "tokens", "flops_per_param_token"}


def test_2500_chips_are_not() -> None:
    found = isoflop.check(**{**RUMOUR, "chips": "2500 A100"})
    assert found.chi2 == pytest.approx(249, rel=0.02)
    assert found.suspects == ("chips", "train_time")
    chips = found.found.claim("chips")
    assert chips is not None
    assert chips.pull == pytest.approx(15.8, rel=0.01)
    (alarm,) = found.found.alarms
    assert alarm.quantity == "mfu"
    assert alarm.value == pytest.approx(2.49, rel=0.03)


def test_usual_values_stand_in_for_claims() -> None:
    words = {key: RUMOUR[key] for key in ("chips", "train_time", "train_flops", "train_cost")}
    assert isoflop.check(**words).dof == 0
    found = isoflop.check(**words, mfu="usual", price="usual")
    assert (found.verdict, found.dof) == ("consistent", 2)
    assert {"mfu", "price"} <= {prior.quantity for prior in found.found.priors}
    with pytest.raises(BadInput, match="nothing is known of how tokens usually is; 'usual' is understood for mfu"):
        isoflop.check(tokens="usual", params="7B")
    with pytest.raises(BadInput, match="give device= too"):
        isoflop.check(price="usual", train_cost="$63M", chips="25000")


def test_a_listed_price_is_a_prior_only_where_it_is_chosen() -> None:
    words = {"device": "25000xa100-sxm-80gb", "train_time": "95 days", "train_cost": "$63M"}
    assert isoflop.check(**words).verdict == "untested"
    assert isoflop.check(**words, commitment="on-demand").dof == 1


def test_experts_settle_the_share_that_a_dense_model_assumes() -> None:
    found = isoflop.check(params="1.8T", active_params="280B", tokens="13T", train_flops="2.15e25")
    assert found.verdict == "consistent"
    share = found.implied("active_share")
    assert share is not None
    assert share[0] == pytest.approx(280 / 1800, rel=0.03)


def test_claims_that_do_not_meet_say_what_would_test_them() -> None:
    found = isoflop.check(params="7B", tokens="1T")
    assert (found.verdict, found.completes[0]) == ("untested", "train_flops")
    assert isoflop.check(params="7B", tokens="1T", train_flops="4.2e22").verdict == "consistent"


def test_what_has_never_been_seen_is_said() -> None:
    found = isoflop.check(chips="8", train_time="1 day", device="h100-sxm", train_flops="6e20")
    assert found.warnings == ("mfu = 87.7 % is outside what has been seen: 0.5 % to 80 %",)


def test_a_check_needs_no_numbers_of_ours() -> None:
    with pytest.raises(UnknownName, match="no quantity 'parms'"):
        isoflop.check(parms="7B")


# --- data


def test_every_constant_of_the_book_has_a_prior() -> None:
    own = {"pue", "power_ratio"}  # isoflop.ask.assumptions gives these an interval of their own
    assert set(priors()) == set(BOOK_SYSTEM.defaults) - own
    for key, prior in priors().items():
        assert source(prior.source), key
        assert prior.within == 1 or prior.note, f"{key}: say why it may be off"


def test_every_slip_is_about_a_quantity() -> None:
    for slip in slips():
        assert slip.makes > 0
        assert slip.quantity == "any" or quantity(slip.quantity).name == slip.quantity
        assert abs(slip.makes - 1) > 0.05


# --- tables


NINE = {
    "Meena": 0.72,
    "Jurassic-1 Jumbo": 1.15,
    "Gopher 280B": 1.25,
    "OPT-175B": 1.37,
    "GPT-NeoX-20B": 1.60,
    "AlexaTM 20B": 1.31,
    "BloombergGPT": 1.37,
    "Cerebras-GPT-13B": 1.16,
    "OLMoE-1B-7B": 1.30,
}


@pytest.fixture(scope="module")
def rows() -> dict[str, RowResult]:
    return {row.name: row for row in check_runs()}


def test_nine_published_runs_are_far_from_6nd_and_say_why(rows: dict[str, RowResult]) -> None:
    far = {name: row for name, row in rows.items() if row.flops_over_6nd and abs(row.flops_over_6nd - 1) > 0.1}
    assert {name: row.flops_over_6nd for name, row in far.items()} == {
        name: pytest.approx(ratio, abs=0.005) for name, ratio in NINE.items()
    }
    assert {row.verdict for row in far.values()} == {"contradictory", "off"}
    assert all("times 6 N D" in row.reason for row in far.values())
    for name in ("OPT-175B", "BloombergGPT"):
        assert "recomputation is counted, as published" in far[name].reason
    assert "a measured rate times hours, as published" in far["Meena"].reason
    for name in ("AlexaTM 20B", "OLMoE-1B-7B"):
        assert "likely recomputation counted" in far[name].reason
    assert far["Gopher 280B"].reason.endswith("how they were counted is not said")


def test_sound_runs_are_left_alone(rows: dict[str, RowResult]) -> None:
    """Beyond the nine only runs are listed whose reported utilisation is not that of their FLOP, chips and hours."""
    listed = {name for name, row in rows.items() if row.verdict in {"contradictory", "off"}} - set(NINE)
    assert all("mfu" in rows[name].suspects for name in listed)
    assert listed == {
        "GLM-130B",
        "GLaM 1.2T",
        "GPT-J-6B",
        "Llama 3.1-405B",
        "MT-NLG 530B",
        "Megatron-LM 8.3B",
        "Nemotron-4-15B",
        "PaLM 540B",
    }
    assert not [name for name, row in rows.items() if row.verdict == "unread"]
    assert sum(row.verdict == "consistent" for row in rows.values()) > 80


def test_a_made_up_row_above_full_utilisation_is_caught() -> None:
    sound = next(run for run in model.runs() if run.model == "DeepSeek-V2")
    (row,) = check_runs([sound])
    assert row.verdict == "consistent"
    (row,) = check_runs([replace(sound, use=replace(sound.use, chip_time=172_800 * 3600.0))])
    assert (row.verdict, row.suspects) == ("contradictory", ("train_flops", "chip_time"))
    assert row.factor == pytest.approx(1.66, rel=0.01)
    assert "chip-hours for each trillion tokens, of which there were 8.1" in row.reason


CSV = """run,N,D,C,days,gpus
sound,7B,1T,4.2e22,,
slip,7B,1T,4.2e24,,
alone,7B,,,,
broken,seven,1T,4.2e22,,
timed,70,1.4,5.9e23,20.5,2048
"""
MAP = "params=N,tokens=D,train_flops=C"


def test_a_table_of_claims(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(CSV, encoding="utf-8")
    found = check_rows(read_rows(str(path))[:4], read_columns(MAP))
    assert [(row.name, row.verdict) for row in found] == [
        ("sound", "consistent"),
        ("slip", "contradictory"),
        ("alone", "untested"),
        ("broken", "unread"),
    ]
    assert found[1].factor == pytest.approx(100)
    assert found[1].suspects == ("params", "tokens", "train_flops")
    assert "likely a decimal slip of 100" in found[1].reason
    assert "'seven'" in found[3].reason


def test_units_and_knowns_for_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(CSV, encoding="utf-8")
    columns = read_columns("params=N[B], tokens=D[T], train_flops=C, train_time=days[day], chips=gpus")
    (row,) = check_rows(read_rows(str(path))[4:], columns, device="a100-sxm-80gb")
    assert row.verdict == "consistent"
    assert row.result is not None
    mfu = row.result.implied("mfu")
    assert mfu is not None
    assert mfu[0] == pytest.approx(0.52, rel=0.01)


def test_columns_named_like_quantities_need_no_map() -> None:
    table = [{"model": "x", "train-tokens": "1T", "params": "7B", "compute": "4.2e22", "remarks": "fine"}]
    (row,) = check_rows(table)
    assert (row.name, row.verdict) == ("x", "consistent")


@pytest.mark.parametrize(
    ("text", "says"),
    [("params", "does not map a column"), ("params=N[B", "does not map a column"), ("=N", "does not map a column")],
)
def test_a_map_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_columns(text)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column is named like a quantity; there are: a, b"):
        check_rows([{"a": "1", "b": "2"}])
    with pytest.raises(UnknownName, match="no column 'M'"):
        check_rows([{"N": "1"}], read_columns("params=M"))
    with pytest.raises(UnknownName, match="no quantity 'prams'"):
        read_columns("prams=N")
    empty = tmp_path / "empty.csv"
    empty.write_text("params,tokens\n", encoding="utf-8")
    with pytest.raises(BadFile, match="no rows"):
        read_rows(str(empty))


# --- drawings and the command


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["check", *words])
    out = capsys.readouterr()
    return int(left.value.code or 0), out.out, out.err


SLIP = ("train_flops=2.15e25", "active_params=26T", "tokens=13T", "chips=25000 A100", "train_time=90-100 days")


def test_the_text_names_the_suspects_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(capsys, *SLIP, "mfu=0.3 to 0.5")
    assert (code, err) == (1, "")
    assert out.startswith("Contradictory: these claims cannot all be true.")
    assert "One of active_params and tokens is off by about x94." in " ".join(out.split())
    assert "train_flops would have to be 2.03e27 FLOP" in " ".join(out.split())
    assert "flops_per_param_token = 6" in out
    assert max(map(len, out.splitlines())) <= 80


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "train_flops=3.14e23", "params=175B", "tokens=300B")[0] == 0
    assert command(capsys, "train_flops=3.14e24", "params=175B", "tokens=300B")[0] == 1
    assert command(capsys, "params=175B", "tokens=300B")[0] == 3
    for words in ((), ("--runs", "params=7B"), ("--map", "params=N"), ("params=7B", "--format", "pdf"), ("mfu=much",)):
        code, out, err = command(capsys, *words)
        assert (code, out) == (2, "")
        assert err


@pytest.mark.parametrize(
    "claims",
    [
        RUMOUR,
        {**RUMOUR, "chips": "2500 A100"},
        {"params": "7B", "tokens": "1T"},
        {"train_flops": "1e24", "device": "h800-sxm-80gb", "chip_time": "172.8k chip h"},
        {"params": "1B", "train_state_bytes": "24 GB"},
    ],
)
def test_json_follows_the_schema(claims: dict[str, str]) -> None:
    made = report.check_json(isoflop.check(**claims))
    VALIDATOR.validate(made)
    again = json.loads(report.dumps(made))
    assert {one["quantity"] for one in again["claims"] if one["rank"] == "given"} <= {*claims}
    assert again == made


def test_markdown_holds_the_same_parts() -> None:
    made = report.check_markdown(isoflop.check(**{**RUMOUR, "active_params": "26T"}))
    assert "| active\\_params | 26T |" in made or "| active_params | 26T |" in made
    assert "**Suspect**" in made


def test_runs_as_text_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "--runs")
    assert code == 1
    assert "OPT-175B: contradictory x1.4" in out
    assert out.rstrip().endswith("have FLOP more than 10 % off 6 N D.")
    assert "9 of " in out.splitlines()[-1]
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = command(capsys, "--runs", "--format", "csv")
    assert out.splitlines()[0] == "name,verdict,factor,suspects,flops_over_6nd,reason,note"
    assert len(out.splitlines()) == 1 + len(model.runs())


def test_a_table_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(CSV, encoding="utf-8")
    code, out, _ = command(capsys, "--table", str(path), "--map", MAP, "--json")
    made = json.loads(out)
    VALIDATOR.validate(made)
    assert code == 1
    assert [row["verdict"] for row in made["rows"]][:4] == ["consistent", "contradictory", "untested", "unread"]
