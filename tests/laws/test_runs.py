"""Tables of runs: every format, columns by any name, and bad data flagged, counted or refused."""

from __future__ import annotations

import json
import pickle
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.laws.studies import HERE, dots, study

from isoflop.errors import BadFile, BadInput, MissingData, UnknownName
from isoflop.laws import Options, Runs, fit, read_runs

HEAD = ("N", "D", "loss")


def write(path: Path, names: tuple[str, ...], rows: list[tuple[object, ...]], separator: str = ",") -> Path:
    lines = [separator.join(names), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows_of(runs: Runs) -> list[tuple[object, ...]]:
    columns = (runs.columns[name].tolist() for name in ("params", "tokens", "loss"))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    "names",
    [
        ("params", "tokens", "loss"),
        ("num_params", "tokens_seen", "val_loss"),
        ("Model Size", "training tokens", "Final Loss"),
        ("config.n_params", "data_size", "eval/loss"),
        ("nParams", "trainTokens", "lm_loss"),
        ("non_embedding_params", "D", "validation_loss"),
    ],
)
def test_renaming_columns_changes_no_fit(tmp_path: Path, names: tuple[str, ...]) -> None:
    runs = study(0.003)
    plain = fit(read_runs(write(tmp_path / "a.csv", HEAD, rows_of(runs))), "chinchilla", Options(bootstrap=0))
    other = fit(read_runs(write(tmp_path / "b.csv", names, rows_of(runs))), "chinchilla", Options(bootstrap=0))
    np.testing.assert_array_equal(plain.at, other.at)


def test_columns_of_any_name_can_be_said(tmp_path: Path) -> None:
    runs = study(0.003)
    path = write(tmp_path / "a.csv", ("x", "y", "z"), rows_of(runs))
    found = read_runs(path, columns={"params": "x", "tokens": "y", "loss": "z"})
    np.testing.assert_allclose(found.loss, runs.loss)
    with pytest.raises(MissingData, match=r"no loss in .*--column loss=NAME"):
        read_runs(path)
    with pytest.raises(BadInput, match="no column 'w' for loss; the table has: x, y, z"):
        read_runs(path, columns={"loss": "w"})
    with pytest.raises(UnknownName, match="no quantity of a run 'size'"):
        read_runs(path, columns={"size": "x"})


def test_the_fingerprint_is_of_the_numbers(tmp_path: Path) -> None:
    runs = study(0.003)
    rows = rows_of(runs)
    one = read_runs(write(tmp_path / "a.csv", HEAD, rows))
    other = read_runs(write(tmp_path / "b.tsv", ("params", "tokens", "val_loss"), rows[::-1], "\t"))
    assert one.fingerprint == other.fingerprint
    changed = [(*rows[0][:2], 3.0), *rows[1:]]
    assert read_runs(write(tmp_path / "c.csv", HEAD, changed)).fingerprint != one.fingerprint


def test_formats_hold_the_same_runs(tmp_path: Path) -> None:
    runs = study(0.003)
    rows = rows_of(runs)
    dicts = [dict(zip(HEAD, row, strict=True)) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, dicts)))
    (tmp_path / "rows.json").write_text(json.dumps(dicts))
    (tmp_path / "columns.json").write_text(json.dumps({name: [row[name] for row in dicts] for name in HEAD}))
    folder = tmp_path / "each"
    folder.mkdir()
    for number, row in enumerate(dicts):
        nested = {
            "config": {"n_params": {"value": row["N"]}},
            "tokens": row["D"],
            "summary": {"eval/loss": row["loss"]},
        }
        (folder / f"{number:03}.json").write_text(json.dumps(nested))
    for name in ("rows.jsonl", "rows.json", "columns.json", "each"):
        found = read_runs(tmp_path / name)
        np.testing.assert_allclose(found.columns["params"], runs.columns["params"])
        np.testing.assert_allclose(found.columns["tokens"], runs.columns["tokens"])
        np.testing.assert_allclose(found.loss, runs.loss)


def test_weights_and_biases_export(tmp_path: Path) -> None:
    names = ("Name", "State", "Created", "config.model.n_params", "tokens_seen", "train/loss", "val/loss")
    text = [
        (f"run{i}", "finished", "2024-01-01", 1e8 * (i + 1), 2e9 * (i + 1), 3.1 - 0.1 * i, 3.0 - 0.1 * i)
        for i in range(4)
    ]
    found = read_runs(write(tmp_path / "wandb.csv", names, text))
    assert found.loss.tolist() == pytest.approx([3.0, 2.9, 2.8, 2.7])
    assert len(set(found.groups.tolist())) == 4
    assert any("loss is 'val/loss', not 'train/loss'" in guess for guess in found.guesses)
    assert set(found.labels) == {"State", "Created"}


def test_weights_and_biases_chart(tmp_path: Path) -> None:
    names = ("Step", "a - val/loss", "a - val/loss__MIN", "a - val/loss__MAX", "b - val/loss", "b - val/loss__MIN")
    rows: list[tuple[object, ...]] = [(1, 4.0, 4.0, 4.0, "", ""), (2, 3.5, 3.5, 3.5, 3.4, 3.4)]
    found = read_runs(write(tmp_path / "chart.csv", names, rows))
    assert sorted(found.loss.tolist()) == [3.4, 3.5, 4.0]
    assert len(set(found.groups.tolist())) == 2
    assert sorted(found.columns["step"].tolist()) == [1.0, 2.0, 2.0]


def test_cells_as_people_write_them(tmp_path: Path) -> None:
    found = read_runs(write(tmp_path / "a.csv", HEAD, [("70M", "1.4B", 3.5), ("7B", "1.4T", 2.0)]))
    assert found.columns["params"].tolist() == [70e6, 7e9]
    assert found.columns["tokens"].tolist() == [1.4e9, 1.4e12]


def test_trainer_state(tmp_path: Path) -> None:
    log = [
        {"step": 10, "loss": 4.0, "learning_rate": 1e-3, "num_input_tokens_seen": 1e6},
        {"step": 10, "eval_loss": 3.9},
        {"step": 20, "eval_loss": 3.5, "num_input_tokens_seen": 2e6},
    ]
    path = tmp_path / "run-a" / "trainer_state.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"log_history": log, "total_flos": 4e15, "global_step": 20}))
    found = read_runs(path, constants={"params": 5e7})
    assert found.loss.tolist() == [3.9, 3.5]
    assert found.columns["tokens"].tolist() == [1e6, 2e6]
    assert found.columns["flops"].tolist() == [2e15, 4e15]
    assert len(set(found.groups.tolist())) == 1


def test_mlflow_store(tmp_path: Path) -> None:
    for i in range(3):
        run = tmp_path / "mlruns" / "0" / f"abc{i}"
        (run / "metrics").mkdir(parents=True)
        (run / "params").mkdir()
        (run / "params" / "n_params").write_text(f"{10 ** (7 + i)}")
        (run / "params" / "tokens").write_text("1e9")
        (run / "metrics" / "val_loss").write_text(f"1700000000 4.0 1\n1700000001 {3.0 - i / 10} 2\n")
    found = read_runs(tmp_path / "mlruns")
    assert found.loss.tolist() == pytest.approx([3.0, 2.9, 2.8])
    assert found.columns["params"].tolist() == [1e7, 1e8, 1e9]


def field(number: int, wire: int, value: bytes) -> bytes:
    size = bytes([len(value)]) if wire == 2 else b""
    return bytes([number << 3 | wire]) + size + value


def event(step: int, tag: str, value: float, *, tensor: bool) -> bytes:
    raw = struct.pack("<f", value)
    body = field(8, 2, field(1, 0, b"\x01") + field(4, 2, raw)) if tensor else field(2, 5, raw)
    summary = field(1, 2, field(1, 2, tag.encode()) + body)
    record = field(1, 1, struct.pack("<d", 1.0)) + field(2, 0, bytes([step])) + field(5, 2, summary)
    return struct.pack("<Q", len(record)) + b"0000" + record + b"0000"


def test_tensorboard_events(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    run.mkdir()
    parts = [event(step, "val_loss", 4.0 - step / 10, tensor=step % 2 == 0) for step in (1, 2, 3)]
    parts += [event(step, "tokens", 1e6 * step, tensor=False) for step in (1, 2, 3)]
    path = run / "events.out.tfevents.1700000000.host"
    path.write_bytes(b"".join(parts) + b"\x40")  # a record that was cut short
    found = read_runs(tmp_path, constants={"params": 1e7})
    assert found.loss.tolist() == pytest.approx([3.9, 3.8, 3.7])
    assert found.columns["tokens"].tolist() == [1e6, 2e6, 3e6]
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(BadFile, match="not an event file"):
        read_runs(path)


def test_parquet_or_a_clear_word(tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    path.write_bytes(b"PAR1nothing")
    with pytest.raises((MissingData, BadFile), match=r"needs pyarrow|not a Parquet file"):
        read_runs(path)


def test_parquet_reads_as_csv_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"run": ["a", "b", "c"], "N": [10**8, 2 * 10**8, None], "D": [1e9, 2e9, 3e9], "loss": [3.5, 3.2, 3.1]}
    path = tmp_path / "runs.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    found = read_runs(path)
    rows = zip(*columns.values(), strict=True)
    same = read_runs(write(tmp_path / "runs.csv", tuple(columns), [tuple(x or "" for x in row) for row in rows]))
    for name in ("params", "tokens", "loss"):
        assert found.columns[name].tolist() == pytest.approx(same.columns[name].tolist(), nan_ok=True)
    assert {k: v.tolist() for k, v in found.flags.items()} == {k: v.tolist() for k, v in same.flags.items()}
    monkeypatch.setattr("isoflop.laws.table.MOST_ROWS", 2)
    with pytest.raises(BadFile, match=r"\d+ rows; at most 2 are read"):
        read_runs(path)


def test_perplexity_bits_and_pf_days_are_converted(tmp_path: Path) -> None:
    found = read_runs(write(tmp_path / "a.csv", ("N", "pf_days", "ppl"), [(1e8, 1, 10.0), (2e8, 2, 9.0)]))
    assert found.loss[0] == pytest.approx(np.log(10))
    assert found.columns["flops"].tolist() == [8.64e19, 1.728e20]
    assert found.columns["tokens"][0] == pytest.approx(8.64e19 / 6e8)
    found = read_runs(write(tmp_path / "b.csv", ("params_b", "tokens_b", "loss_bits"), [(1, 20, 4.0), (2, 40, 3.0)]))
    assert found.loss[0] == pytest.approx(4 * np.log(2))
    assert found.columns["params"].tolist() == [1e9, 2e9]


def test_bad_rows_are_flagged_and_counted(tmp_path: Path) -> None:
    good = rows_of(study(0.003))
    bad: list[tuple[object, ...]] = [
        (1e8, 1e9, "nan"), (2e8, 1e9, ""), (1e8, 1e9, "inf"), (1e8, 1e9, -1.0), (1e8, 1e9, 55.0), (-1e8, 1e9, 3.0),
        (1e8, 0, 3.0), good[0], good[1],
    ]  # fmt: skip
    found = read_runs(write(tmp_path / "a.csv", HEAD, [*good, *bad]))
    assert found.rows == len(good) + len(bad)
    counts = dict(found.flagged)
    assert counts["no finite loss (diverged or missing)"] == 3
    assert counts["loss not above zero"] == 1
    assert counts["loss above 10 nats (diverged)"] == 1
    assert counts["params not positive"] == 1
    assert counts["tokens not positive"] == 1
    assert counts["a row that stands there twice"] == 2
    plain = fit(read_runs(write(tmp_path / "b.csv", HEAD, good)), "chinchilla", Options(bootstrap=0))
    np.testing.assert_allclose(fit(found, "chinchilla", Options(bootstrap=0)).at, plain.at, rtol=1e-9)


def test_integers_do_not_wrap() -> None:
    found = read_runs(HERE / "gemstones.csv")
    assert (found.columns["flops"] > 0).all()
    product = 6 * found.columns["params"] * found.columns["tokens"]
    np.testing.assert_array_equal(found.columns["flops"], product)
    assert product.max() > 2**63
    assert found.counts == "active"
    assert len(set(found.groups.tolist())) == 19


def test_flops_that_are_not_positive_are_replaced_and_noted(tmp_path: Path) -> None:
    rows = [(*row, -1.0 if number < 3 else 6 * row[0] * row[1]) for number, row in enumerate(rows_of(study()))]  # type: ignore[operator]
    found = read_runs(write(tmp_path / "a.csv", (*HEAD, "C"), rows))
    assert any("flops of 3 rows are not positive" in note for note in found.notes)
    assert (found.columns["flops"] > 0).all()


def test_strict_takes_no_guesses(tmp_path: Path) -> None:
    names = ("N", "D", "train_loss", "val_loss")
    path = write(tmp_path / "a.csv", names, [(1e8, 1e9, 3.1, 3.0), (2e8, 1e9, 3.0, 2.9)])
    with pytest.raises(BadInput, match=r"--strict takes no guesses.*loss is 'val_loss', not 'train_loss'"):
        read_runs(path, strict=True)
    found = read_runs(path, strict=True, columns={"loss": "train_loss"}, counts="total")
    assert found.loss.tolist() == [3.1, 3.0]
    assert not found.guesses


def test_files_that_run_code_are_refused(tmp_path: Path) -> None:
    for name in ("runs.pkl", "runs.csv"):
        (tmp_path / name).write_bytes(pickle.dumps({"loss": [1.0]}))
        with pytest.raises(BadFile, match=r"pickles .* run code when read"):
            read_runs(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("N,D,loss\n1,2\n", "1 rows do not have the 3 cells of the header; the first is line 2"),
        ("N,D,loss\n", "a header and no rows"),
        ("loss\n1\n", "one column"),
        ("N,N,loss\n1,2,3\n", "column 'N' stands there twice"),
        ("N,D,loss\nbig,2,3\n", "column 'N' is taken as params \\(by name\\) and holds 'big'"),
    ],
)
def test_broken_tables_say_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=said):
        read_runs(tmp_path / "a.csv")


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoflop.laws import table

    monkeypatch.setattr(table, "MOST_ROWS", 10)
    path = write(tmp_path / "a.csv", HEAD, rows_of(study()))
    with pytest.raises(BadFile, match=rf"{study().rows} rows; at most 10 are read.*Keep the last row of each run"):
        read_runs(path)
    # Counted before anything is parsed: what follows the first lines is no table at all.
    path.write_text(path.read_text() + "\x00 not a row\n" * 20)
    with pytest.raises(BadFile, match=rf"{study().rows + 20} rows; at most 10 are read"):
        read_runs(path)


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"cannot read .*No such file"):
        read_runs(tmp_path / "none.csv")
    with pytest.raises(BadFile, match="no runs; a folder may hold"):
        read_runs(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([".csv", ".json", ".jsonl", ".tsv", ""]))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str) -> None:
    path = tmp_path_factory.mktemp("any") / f"runs{ending}"
    path.write_bytes(data)
    with suppress(BadInput, MissingData):
        read_runs(path)


def test_arrays_are_runs_too() -> None:
    found = dots()
    again = Runs.of(**{name: found.columns[name] for name in ("params", "tokens", "flops", "loss")})
    assert not again.guesses
    np.testing.assert_array_equal(again.loss, found.loss)
    with pytest.raises(BadInput, match="one length"):
        Runs.of(params=[1.0], loss=[1.0, 2.0])


def test_the_last_words_of_a_logger_s_path_decide() -> None:
    from isoflop.laws.columns import map_columns

    found = {
        one.quantity: one for one in map_columns(("summary.train/loss", "summary.eval/loss", "config.n_params"), {})
    }
    assert found["loss"].column == "summary.eval/loss"
    assert found["loss"].instead_of == ("summary.train/loss",)
    assert found["params"].column == "config.n_params"


def test_commas_are_thousands_or_decimals_and_never_guessed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("N;D;loss\n1e8;2e9;3,25\n2e8;4e9;3,5\n")
    assert read_runs(tmp_path / "a.csv").loss.tolist() == [3.25, 3.5]
    (tmp_path / "b.csv").write_text('N,D,loss\n"100,000,000","2,000,000,000",3.25\n"200,000,000","4,000,000,000",3.5\n')
    assert read_runs(tmp_path / "b.csv").columns["params"].tolist() == [1e8, 2e8]
    (tmp_path / "c.csv").write_text('N,D,loss\n1e8,2e9,"3,25"\n2e8,4e9,"3,5"\n')
    with pytest.raises(BadInput, match=r"column 'loss' is taken as loss .* and holds '3,25'"):
        read_runs(tmp_path / "c.csv")


def test_vocabularies_of_several_sizes_are_several_tokenizers() -> None:
    from isoflop.laws import check

    runs = study()
    columns = {name: runs.columns[name] for name in ("params", "tokens", "loss")}
    sizes = np.where(np.arange(runs.rows) % 2, 50257.0, 32000.0)
    judged = {one.name: one for one in check(Runs.of(**columns, vocabulary=sizes))}["7 loss"]
    assert judged.status == "warn"
    assert "'vocabulary' has 2 values (32000, 50257)" in judged.says


def bits(tmp_path: Path) -> Path:
    """A study whose losses stand as bits per byte, at 4 bytes a token."""
    held = [(params, tokens, loss / np.log(2.0) / 4.0) for params, tokens, loss in rows_of(study(0.003))]
    return write(tmp_path / "bits.csv", ("N", "D", "bpb"), held)


@pytest.mark.parametrize("columns", [{}, {"loss": "bpb"}, {"bits_per_byte": "bpb"}])
def test_bits_per_byte_are_no_nats_per_token(tmp_path: Path, columns: dict[str, str]) -> None:
    path = bits(tmp_path)
    with pytest.raises(MissingData, match=r"bits per byte .*--set bytes_per_token"):
        read_runs(path, columns=columns)
    found = read_runs(path, columns=columns, constants={"bytes_per_token": 4.0})
    np.testing.assert_allclose(found.loss, study(0.003).loss)


def test_perplexity_said_to_be_the_loss_is_converted(tmp_path: Path) -> None:
    runs = study(0.003)
    held = [(params, tokens, np.exp(loss)) for params, tokens, loss in rows_of(runs)]
    path = write(tmp_path / "a.csv", ("N", "D", "ppl"), held)
    np.testing.assert_allclose(read_runs(path, columns={"loss": "ppl"}).loss, runs.loss)


def test_repeats_under_one_name_are_no_checkpoints(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [
        ("a", 1e7, 1e9, 3.1),
        ("a", 1e7, 1e9, 3.2),
        ("b", 1e7, 1e9, 3.3),
        ("b", 1e7, 2e9, 3.0),
        ("b", 1e7, 2e9, 3.0),
    ]
    found = read_runs(write(tmp_path / "a.csv", ("run", *HEAD), rows))
    one, other, *rest = found.groups.tolist()
    assert one != other
    assert len({one, other, *rest}) == 3  # b is one run, seen along its way


def test_an_empty_cell_among_words_is_a_gap(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("1B", "20B", 3.0), ("", "30B", 2.9), ("2B", "nan", 2.8)]
    found = read_runs(write(tmp_path / "a.csv", HEAD, rows))
    assert found.flagged["params not positive"] == found.flagged["tokens not positive"] == 1
    with pytest.raises(BadInput, match="holds 'many'"):
        read_runs(write(tmp_path / "b.csv", HEAD, [("1B", "20B", 3.0), ("many", "30B", 2.9)]))
