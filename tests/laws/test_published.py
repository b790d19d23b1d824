"""The published entries, their spreads, their names, and a user's own file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import AmbiguousInput, BadFile, MissingData, UnknownName
from isoflop.laws import Chinchilla, HyperParameters, Kaplan, find_law, published, published_laws, read_law

PACKAGE = Path(__file__).parents[2] / "src" / "isoflop"
OWN = """
form = "chinchilla"
coefficients = { ln_E = 0.5, A = 400, B = 410.7, alpha = 0.34, beta = 0.28 }
source = "our own runs, June"
"""


@pytest.mark.parametrize("name", list(published_laws()))
def test_every_entry_says_what_must_be_known(name: str) -> None:
    law = published_laws()[name]
    for text in (
        law.title,
        law.source,
        law.place,
        law.rounding,
        law.verified,
        law.note,
        law.fitted_on.of,
        law.spread.of,
    ):
        assert text.strip(), name
        assert "\n" not in text.strip()


def test_every_source_is_a_key_of_the_book() -> None:
    keys = set(tomllib.loads((PACKAGE / "book" / "sources.toml").read_text(encoding="utf-8")))
    assert {law.source for law in published_laws().values()} <= keys


def test_names_do_not_collide() -> None:
    names = [name for law in published_laws().values() for name in (law.name, *law.aliases)]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("hoffmann2022", "hoffmann2022-tex"),
        ("chinchilla", "hoffmann2022-tex"),
        ("hoffmann2022-r", "hoffmann2022-rounded"),
        ("Besiroglu", "besiroglu2024"),
        ("besiroglu2024-e", "besiroglu2024-exact"),
        ("kap", "kaplan2020"),
        (" ratio ", "ratio20"),
        ("muenn", "muennighoff2023-c4"),
        ("steplaw", "stepfun2025"),
    ],
)
def test_aliases_and_unique_beginnings(asked: str, name: str) -> None:
    assert published(asked).name == name


def test_unknown_and_ambiguous_names() -> None:
    with pytest.raises(UnknownName, match=r"no law 'hofmann2022'\. Did you mean 'hoffmann2022'") as caught:
        published("hofmann2022")
    assert caught.value.matches
    with pytest.raises(UnknownName, match="no law ''"):
        published("")
    with pytest.raises(
        AmbiguousInput, match="'hoff' begins the names of several laws: hoffmann2022-rounded, hoffmann2022-tex"
    ):
        published("hoff")


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_a_clean_error(text: str) -> None:
    try:
        found = published(text).name
    except (UnknownName, AmbiguousInput) as error:
        found = str(error)
    assert "\n" not in found


def test_the_two_hoffmann_entries_differ_by_rounding_only() -> None:
    exact, rounded = published("hoffmann2022-tex").form, published("hoffmann2022-rounded").form
    assert isinstance(exact, Chinchilla)
    assert isinstance(rounded, Chinchilla)
    due = ((rounded.E, exact.E, 0.005), (rounded.A, exact.A, 0.05), (rounded.B, exact.B, 0.05))
    for printed, full, half in (*due, (rounded.alpha, exact.alpha, 0.005), (rounded.beta, exact.beta, 0.005)):
        assert printed == pytest.approx(full, abs=half)


def test_the_exact_refit_has_the_printed_constants() -> None:
    form = published("besiroglu2024-exact").form
    assert isinstance(form, Chinchilla)
    found = (form.E, form.A, form.B, form.alpha, form.beta)
    assert found == pytest.approx((1.8172181, 477.8259, 2143.417, 0.3473105, 0.3671724), rel=3e-7)


@pytest.mark.parametrize("name", ["besiroglu2024", "besiroglu2024-exact"])
def test_draws_spread_as_the_published_bootstrap(name: str) -> None:
    """Held against figures that did not go into the covariance: the paper's intervals over its own resamples."""
    entry = published(name)
    drawn, form = entry.draws(np.random.default_rng(1), 20_000), entry.form
    assert isinstance(drawn, Chinchilla)
    assert isinstance(form, Chinchilla)
    assert np.std(drawn.E) == pytest.approx(0.026, rel=0.15)
    assert np.std(drawn.alpha) == pytest.approx(0.015, rel=0.1)
    assert np.std(drawn.beta) == pytest.approx(0.021, rel=0.15)
    assert np.corrcoef(np.log(drawn.A), drawn.alpha)[0, 1] == pytest.approx(0.9993, abs=2e-4)
    assert np.corrcoef(np.log(drawn.B), drawn.beta)[0, 1] == pytest.approx(0.9997, abs=2e-4)
    share = drawn.beta / (drawn.alpha + drawn.beta)
    assert np.std(share) == pytest.approx(0.020, rel=0.1)
    assert np.percentile(share, [10, 90]) == pytest.approx([0.492, 0.541], abs=0.006)
    best = drawn.allocate(5.76e23)
    assert np.percentile(best.tokens_per_param, [10, 90]) == pytest.approx([10, 29], rel=0.15)
    assert np.median(best.loss) == pytest.approx(form.minimum_loss(5.76e23), rel=2e-3)


def test_joint_draws_keep_the_loss_interval_narrow() -> None:
    drawn = published("besiroglu2024").draws(np.random.default_rng(2), 20_000)
    low, high = np.percentile(drawn.loss(2.9e9, 63e9), [5, 95])
    assert 0.005 < high - low < 0.05
    rng = np.random.default_rng(3)
    apart = Chinchilla(**{key: rng.permutation(getattr(drawn, key)) for key in ("E", "A", "B", "alpha", "beta")})
    wide_low, wide_high = np.percentile(apart.loss(2.9e9, 63e9), [5, 95])
    assert wide_high - wide_low > 5 * (high - low)


def test_draws_repeat_with_the_seed() -> None:
    one, other = (published("besiroglu2024").draws(np.random.default_rng(7), 3) for _ in range(2))
    assert isinstance(one, Chinchilla)
    assert isinstance(other, Chinchilla)
    assert np.array_equal(one.A, other.A)


@pytest.mark.parametrize("name", ["hoffmann2022", "ratio20", "kaplan2020", "stepfun2025"])
def test_no_draws_where_no_spread_is_known(name: str) -> None:
    assert not published(name).has_draws
    with pytest.raises(MissingData, match=r"the spread of .* is not known: "):
        published(name).draws(np.random.default_rng(0), 10)


def test_what_a_law_cannot_answer_it_says() -> None:
    with pytest.raises(MissingData, match="ratio20 gives no loss of params and tokens"):
        _ = published("ratio20").law
    with pytest.raises(MissingData, match="kaplan2020 gives no loss"):
        _ = published("kaplan2020").law
    with pytest.raises(MissingData, match="no coefficient was verified"):
        _ = published("kaplan2020").allocator
    with pytest.raises(MissingData, match="recommends learning rate and batch, not sizes"):
        _ = published("deepseek2024").allocator
    with pytest.raises(MissingData, match="recommends no learning rate"):
        _ = published("besiroglu2024").advisor
    assert isinstance(published("deepseek2024").form, HyperParameters)
    assert isinstance(published("kaplan2020").form, Kaplan)


def own(folder: Path, text: str) -> Path:
    path = folder / "law.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_user_s_own_law(tmp_path: Path) -> None:
    entry = find_law(str(own(tmp_path, OWN)))
    assert entry.name == "law"
    assert isinstance(entry.form, Chinchilla)
    assert entry.form.irreducible_loss == pytest.approx(np.exp(0.5))
    assert entry.source == "our own runs, June"
    assert entry.law.loss(1e9, 2e10) > entry.law.irreducible_loss
    assert "not known" in entry.warnings(params=1e9)[0]
    assert not entry.has_draws


def test_a_user_s_own_law_with_range_and_spread(tmp_path: Path) -> None:
    text = OWN + (
        'fitted_on = { of = "40 runs", params = [1e7, 1e9] }\n'
        'spread = { coordinates = ["ln_E", "ln_A", "ln_B", "alpha", "beta"], of = "bootstrap", covariance = ['
        "[1e-4,0,0,0,0],[0,1e-2,0,0,0],[0,0,1e-2,0,0],[0,0,0,1e-4,0],[0,0,0,0,1e-4]] }\n"
    )
    entry = read_law(own(tmp_path, text))
    assert entry.has_draws
    drawn = entry.draws(np.random.default_rng(0), 50)
    assert isinstance(drawn, Chinchilla)
    assert np.shape(drawn.alpha) == (50,)
    assert "1.0 decades above" in entry.warnings(params=1e10)[0]


def test_a_user_s_own_ratio_and_settings(tmp_path: Path) -> None:
    ratio = read_law(own(tmp_path, 'form = "ratio"\ncoefficients = { tokens_per_param = 100 }\nsource = "s"\n'))
    assert ratio.allocator.allocate(6e20).params == pytest.approx(1e9)
    text = (
        'form = "hyper"\nsource = "s"\n[coefficients]\nlearning_rate = { coefficient = 0.01 }\n'
        "batch_tokens = { coefficient = 1.0, tokens = 0.5 }\n"
    )
    assert read_law(own(tmp_path, text)).advisor.advise(1e9, 1e10, 6e19).steps == pytest.approx(1e5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "our own runs, June"', "", "missing required field `source`"),
        ('source = "our own runs, June"', 'source = " "', "source is empty"),
        ('form = "chinchilla"', 'form = "chinchila"', "form 'chinchila' is unknown; known are chinchilla"),
        ("alpha = 0.34, ", "", "exactly one of alpha and ln_alpha"),
        ("alpha = 0.34, ", "alpha = 0.34, ln_alpha = -1.0, ", "exactly one of alpha and ln_alpha"),
        ("alpha = 0.34, ", "alpha = 0.34, gamma = 1.0, ", "coefficients.gamma does not belong"),
        ("alpha = 0.34, ", "alpha = {x = 1.0}, ", "coefficients.alpha does not belong"),
        ("alpha = 0.34, ", 'alpha = "0.34", ', r"\$.coefficients"),
        ("alpha = 0.34, ", "alpha = nan, ", "coefficients.alpha"),
        ("alpha = 0.34, ", "alpha = -0.34, ", "alpha must be finite and positive"),
        ("beta = 0.28 ", "beta = 1e-6 ", "no finite allocation"),
        ("ln_E = 0.5", "ln_E = 5000.0", "coefficients"),
        ("form =", "colour = 1\nform =", "unknown field `colour`"),
        ("form =", 'convention = { params = "some" }\nform =', "convention"),
        ("form =", 'fitted_on = { of = "x", params = [1e9, 1e7] }\nform =', r"fitted_on.params must be \[low, high\]"),
        ("form =", 'spread = { like = "besiroglu2024" }\nform =', "names no law of this file"),
        ("form =", 'spread = { coordinates = ["alpha"], covariance = [[1.0]] }\nform =', "spread.coordinates must be"),
        (
            "form =",
            'spread = { coordinates = ["ln_E", "ln_A", "ln_B", "alpha", "beta"], covariance = [[1.0]] }\nform =',
            "5 x 5, symmetric and positive definite",
        ),
    ],
)
def test_a_broken_file_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(BadFile, match=message) as caught:
        read_law(own(tmp_path, OWN.replace(old, new)))
    assert "law.toml" in str(caught.value)


def test_other_forms_check_their_keys_too(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="coefficients need learning_rate and batch_tokens"):
        read_law(own(tmp_path, 'form = "hyper"\nsource = "s"\ncoefficients = { learning_rate = 3.0 }\n'))
    text = 'form = "ratio"\nsource = "s"\ncoefficients = { tokens_per_param = 20.0 }\n'
    spread = 'spread = { coordinates = ["x"], covariance = [[1.0]] }\n'
    with pytest.raises(BadFile, match="for the forms chinchilla and chinchilla-tied only"):
        read_law(own(tmp_path, text + spread))
    with pytest.raises(BadFile, match="not there"):
        find_law(str(tmp_path / "none.toml"))


def test_llama3_is_refitted_because_its_digits_are_too_few() -> None:
    found = published("llama3").allocator.allocate(3.8e25)
    assert found.tokens == pytest.approx(16.1e12, rel=0.01)
    assert found.params == pytest.approx(393e9, rel=0.01)
    assert pytest.approx(10.5e12, rel=0.01) == 0.29 * 3.8e25**0.53


def test_repeated_data_need_their_amount() -> None:
    import numpy as np

    law = published("repeated2023")
    with pytest.raises(MissingData, match="repeated2023 follows unique_tokens too: give unique_tokens="):
        _ = law.law
    with pytest.raises(MissingData, match="unique_tokens"):
        _ = law.allocator
    form = law.form
    plain = published("muennighoff2023-c4").law
    once = {"params": np.array([1e9]), "tokens": np.array([1e10]), "unique_tokens": np.array([1e10])}
    best = plain.allocate(6e19)
    at_best = {"params": np.array([best.params]), "tokens": np.array([best.tokens])}
    assert np.exp(form.shape.log_loss(form.at, at_best | {"unique_tokens": at_best["tokens"]}))[0] == pytest.approx(
        best.loss
    )
    few = np.exp(form.shape.log_loss(form.at, once | {"unique_tokens": np.array([1e9])}))[0]
    assert few > np.exp(form.shape.log_loss(form.at, once))[0]


def test_two_exponents_and_one_say_the_same_of_c4() -> None:
    import numpy as np

    params, tokens = np.meshgrid(np.geomspace(1e8, 1e10, 9), np.geomspace(1e9, 1e12, 9))
    one, two = (published(name).law.loss(params, tokens) for name in ("muennighoff2023-c4", "c4-untied2023"))
    assert np.abs(two / one - 1).max() < 0.01


def test_the_constants_of_repeated_data_are_nearly_free() -> None:
    import numpy as np
    from tests.laws.studies import HERE

    from isoflop.laws import Options, fit, profile, read_runs
    from isoflop.laws.again import problem_again

    runs, known = read_runs(HERE / "data_constrained.csv"), published("muennighoff2023-c4").law
    held = {"E": known.irreducible_loss, **{name: getattr(known, name) for name in ("A", "B", "alpha")}}
    found = fit(runs, "data-constrained", Options(bootstrap=100, fixed={**held, "beta": held["alpha"]}))
    problem, kept = problem_again(found, runs)
    printed = np.log([[15.387756, 5.309743]])
    at_printed = problem.evaluate(printed, np.ones(kept.rows), found.objective)[0][0]
    assert 1.0 < at_printed / found.certificate.objective < 1.007
    assert found.constants["R_D"] > 40
    ends = profile(found, runs, "R_D", np.linspace(0.0, 11.0, 23))
    assert np.exp(ends.low) < 10
    assert np.exp(ends.high) > 1000
