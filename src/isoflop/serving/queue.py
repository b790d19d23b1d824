"""Requests in line: how many are written at once, what each token and the first one wait, and how many are answered.

Continuous batching by Little's law. A request takes the time to its first token and then `output` steps; at `c`
requests at all times, `B` of them are being written, B = c x writing / (writing + first token). Each finished request
is followed by another, whose prompt is read among the steps: of B sequences B / output end in a step, so that a token
waits in the mean for its step and for so many prompts. Caches that are full cap B; the rest stands in line.

Neglected: that lengths differ (more than the spread says), and that requests which start together stay together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from isoflop.serving.step import Pass, decode_pass, local_prompt_time, prompt_pass

if TYPE_CHECKING:
    from isoflop.quantity.types import Real
    from isoflop.serving.step import Case, Rates

ROUNDS, TURNS = 12, 3
"""Rounds after which a batch under limits stands still, and turns of Aitken after which one without does, to 0.1 %."""

LARGE_PROMPT = 4096.0
"""Tokens from which the weights that are read for a prompt no longer count; busy engines read prompts together."""

MOST_SEQUENCES = 2048.0
"""Sequences of an instance at most, where nobody says (TensorRT-LLM's default)."""

STEP_TOKENS, SHARP = 8192.0, 10.0
"""Prompt tokens that a step takes along at most: requests end in bursts, so that prompts fill some steps and leave the
others alone; the middle token waits for prompts where more than half of the steps are full, so sharply."""

FULLEST = 0.95
"""Share of its time that an engine reads prompts at most in the estimate of the wait."""


class Flow(NamedTuple):
    """What a deployment does in the steady state, an entry a case.

    `batch` sequences are written at once by an instance; `step` seconds a step of decoding; `token` seconds between two
    tokens of a sequence in the mean, prompts of others included, `middle` the median; `first` seconds to the first
    token; `prompt` seconds that an instance is busy with a prompt; `output_rate` tokens written a second and
    `input_rate` prompt tokens a second it could read, by all instances. `used` is the share of the instances that have
    a request at all.
    """

    batch: Real
    step: Real
    token: Real
    middle: Real
    first: Real
    prompt: Real
    output_rate: Real
    input_rate: Real
    passed: Pass
    used: Real = 1.0


class Guess(NamedTuple):
    """Tokens guessed ahead: a step checks `checked` tokens a sequence and keeps `gain` of them.

    `draft` is the time to guess over that of a step without any.
    """

    gain: Real = 1.0
    checked: Real = 1.0
    draft: Real = 0.0


PLAIN = Guess()


class _Prompt(NamedTuple):
    alone: Real
    busy: Real


def _prompt(case: Case, rates: Rates) -> _Prompt:
    """Seconds to read one prompt alone, and what it occupies a busy instance for."""
    tokens = np.maximum(case.input, 1.0)
    large = np.maximum(tokens, LARGE_PROMPT)
    alone = prompt_pass(case, rates, tokens).total
    busy = prompt_pass(case, rates, large).total * tokens / large / (case.pp * case.dp)
    if np.any(np.asarray(case.local) > 0):
        piecewise = local_prompt_time(case, rates)
        alone, busy = (np.where(np.asarray(case.local) > 0, piecewise, each) for each in (alone, busy))
    return _Prompt(alone, busy)


def _token(case: Case, rates: Rates, batch: Real, prompt: Real, guess: Guess) -> tuple[Pass, Real]:
    """A step, and the seconds between two tokens with the prompts of others in between."""
    step = decode_pass(case, rates, batch, guess.checked)
    step = step._replace(host=step.host + guess.draft * (step.total - step.host))
    others = np.maximum(batch - 1, 0.0) / case.output
    return step, step.total / guess.gain + others * prompt * rates.stall


def _first(rates: Rates, requests: Real, found: _Prompt, step: Real, use: Real) -> Real:
    """Seconds to the first token: its own prompt, what is done already, and who came before.

    A tenth of the requests of a benchmark start together (`burst` of these wait for each other); the others meet a
    queue whose mean is that of one server (`queue`).
    """
    others = np.maximum(requests - 1, 0.0)
    line = rates.burst * 0.1 * others * found.busy + rates.queue * found.busy * use / (1 - use)
    result: Real = rates.start + found.alone + step * rates.late + np.minimum(line, others * found.busy)
    return result


def closed_loop(case: Case, rates: Rates, requests: Real, guess: Guess = PLAIN) -> Flow:
    """`requests` at all times at an instance; `guess` says what is guessed ahead."""
    found = _prompt(case, rates)
    room = np.maximum(case.room, 1.0)
    batch = np.minimum(requests, room)
    first: Real = 0.0

    def written(batch: Real) -> Real:
        """Sequences that are written at once where `batch` are."""
        nonlocal first
        step, token = _token(case, rates, batch, found.busy, guess)
        use = np.minimum(batch / (case.output * token) * found.busy, FULLEST)
        first = _first(rates, requests, found, step.total, use)
        return np.minimum(requests * case.output * token / (case.output * token + first), room)

    for _ in range(TURNS):  # Aitken: where the map goes in two turns says where it stands still
        once = written(batch)
        twice = written(once)
        bend = twice - 2 * once + batch
        safe = np.where(np.abs(bend) > 1e-9 * requests, bend, 1.0)
        ahead = np.where(np.abs(bend) > 1e-9 * requests, batch - (once - batch) ** 2 / safe, twice)
        batch = np.clip(ahead, 1e-3 * np.minimum(requests, room), np.minimum(requests, room))
    flow = _flow(case, rates, batch, found, guess)
    waiting = np.maximum(requests / np.maximum(batch, 1e-9) - 1, 0.0) * case.output * flow.token
    return flow._replace(first=np.where(batch >= 0.999 * room, np.maximum(first, waiting), first))


def _flow(case: Case, rates: Rates, batch: Real, found: _Prompt, guess: Guess) -> Flow:
    step, token = _token(case, rates, batch, found.busy, guess)
    full = batch / case.output * case.input / STEP_TOKENS
    seen = 1 / (1 + np.exp(-(full - 0.5) * SHARP))
    rate = batch / token * case.replicas
    return Flow(
        batch=batch,
        step=step.total,
        token=token,
        middle=step.total / guess.gain + (token - step.total / guess.gain) * seen,
        first=found.alone + rates.start,
        prompt=found.busy,
        output_rate=rate,
        input_rate=np.maximum(case.input, 1.0) / found.busy * case.replicas,
        passed=step,
    )


def most_requests(case: Case, rates: Rates, *, tuned: bool = False) -> Real:
    """Requests at an instance under the largest load: as many as fit at full length, or as its scheduler takes.

    `tuned`: each group of attention takes as many, not only all of them together.
    """
    taken = MOST_SEQUENCES * case.dp if tuned else MOST_SEQUENCES
    found: Real = np.maximum(np.minimum(case.whole_room, taken) * rates.load, 1.0)
    return found


def saturated(case: Case, rates: Rates, guess: Guess = PLAIN, *, tuned: bool = False) -> Flow:
    """As many requests as an instance can take."""
    return closed_loop(case, rates, most_requests(case, rates, tuned=tuned), guess)


def limited(case: Case, rates: Rates, first_limit: Real, token_limit: Real) -> Flow:
    """The largest load under which nearly all requests keep to a limit on the first and on each further token [s].

    The batch is cut until the mean token stays under a share of the limit (`token_limit` of the constants); a prompt
    that is long against the limit on the first token leaves less room for queues.
    """
    full = saturated(case, rates, tuned=True)
    batch, found = full.batch, _prompt(case, rates)
    for _ in range(ROUNDS):
        _, token = _token(case, rates, batch, found.busy, PLAIN)
        batch = np.minimum(batch * np.clip((rates.token_limit * token_limit / token) ** 0.8, 0.3, 1.7), full.batch)
    flow = _flow(case, rates, batch, found, PLAIN)
    use = np.minimum(batch / (case.output * flow.token) * found.busy, FULLEST)
    first = _first(rates, batch, found, flow.step, use)
    kept = 1 + rates.prompt_limit * found.alone / first_limit
    return flow._replace(output_rate=flow.output_rate / kept, first=first)


def static_batch(case: Case, rates: Rates, batch: Real) -> Flow:
    """`batch` sequences that start and end together, as before continuous batching: prompts first, then the writing."""
    found = _prompt(case, rates)
    prompts = prompt_pass(case, rates, np.maximum(batch * np.maximum(case.input, 1.0) / case.dp, 1.0), batch).total
    step = decode_pass(case, rates, batch)
    whole = prompts + case.output * step.total
    return Flow(
        batch=batch,
        step=step.total,
        token=step.total,
        middle=step.total,
        first=prompts + rates.start,
        prompt=found.busy,
        output_rate=batch * case.output / whole * case.replicas,
        input_rate=batch * case.input / prompts * case.replicas,
        passed=step,
    )


def open_loop(case: Case, rates: Rates, rate: Real, guess: Guess = PLAIN) -> Flow:
    """Requests that arrive at `rate` a second at the whole deployment, at random.

    The batch is that whose steps end as many requests as arrive. A rate that the largest batch does not reach gives
    that batch, and a first token after infinite time: the line grows without end.
    """
    each = rate / case.replicas
    found = _prompt(case, rates)
    most = np.maximum(np.minimum(case.room, most_requests(case, rates)), 1.0)
    low, high = np.zeros_like(each + most), most + 0.0 * each
    for _ in range(40):
        middle = 0.5 * (low + high)
        _, token = _token(case, rates, middle, found.busy, guess)
        enough = middle / (case.output * token) >= each
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    flow = _flow(case, rates, high, found, guess)
    use = np.minimum(each * found.busy, FULLEST)
    first = _first(rates, high + 1, found, flow.step, use)
    too_much = each > most / (case.output * _token(case, rates, most, found.busy, guess)[1])
    return flow._replace(first=np.where(too_much, np.inf, first))


def prompts_only(case: Case, rates: Rates) -> tuple[Real, Real]:
    """(seconds of one prompt alone, seconds that it occupies a busy instance) where nothing is decoded beside."""
    found = _prompt(case, rates)
    return found.alone, found.busy


def decode_only(case: Case, rates: Rates, batch: Real, guess: Guess = PLAIN) -> Real:
    """Seconds a token where no prompts are read beside."""
    step, _ = _token(case, rates, batch, 0.0, guess)
    found: Real = step.total / guess.gain
    return found


def quantile_factors(level: float, use: Real) -> tuple[Real, Real]:
    """(first token, token) at a quantile over the mean: waits are spread like those of one server's queue.

    The first token's wait is near exponential in a busy engine and near certain in an idle one; a token waits for one
    prompt more or less. Rough: measured spreads of lengths are not known.
    """
    tail = -np.log(1 - level) - 1
    first: Real = 1 + use * tail
    token: Real = 1 + 0.3 * use * tail
    return first, token
