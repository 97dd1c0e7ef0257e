"""The window: its closed form, torch's band mask, transformers' sliding window, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F

from memlib import KV, Window, attend_all, check, influence, outputs, recipe, state_bytes, states, view

T = 12


def sequence(*lead, n=T, d=4):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(*lead, n, d, generator=draw, dtype=torch.float64) for _ in range(3))
    return q, KV(k, v)


def band(n, size, sinks=0):
    q, k = torch.arange(n)[:, None], torch.arange(n)
    return (k <= q) & ((k > q - size) | (k < sinks))


@pytest.mark.parametrize("n", [1, 2, 5, T, 40])
def test_its_recipe_is_a_band_of_the_identity(n):
    for t, got in enumerate(recipe(Window(n), sequence()[1].k)):
        assert torch.equal(got, torch.eye(T, dtype=torch.float64)[max(0, t - n + 1) : t + 1])


@pytest.mark.parametrize("n, s", [(1, 1), (3, 2), (5, 20)])
def test_with_sinks_its_recipe_is_the_first_rows_and_the_band(n, s):
    eye = torch.eye(T, dtype=torch.float64)
    for t, got in enumerate(recipe(Window(n, sinks=s), sequence()[1].k)):
        kept = sorted(set(range(min(s, t + 1))) | set(range(max(0, t - n + 1), t + 1)))
        assert torch.equal(got, eye[kept])


@pytest.mark.parametrize("size, sinks", [(1, 0), (4, 0), (4, 2), (40, 0), (130, 3)])
def test_it_is_torch_s_attention_under_a_band_mask(size, sinks):
    q, kv = sequence(2, 3, n=300)
    want = F.scaled_dot_product_attention(q, kv.k, kv.v, attn_mask=band(300, size, sinks))
    for form in (outputs, attend_all):
        torch.testing.assert_close(form(Window(size, sinks), q, kv), want, rtol=1e-12, atol=1e-12)


def test_its_view_is_zero_outside_the_band_and_one_in_sum():
    q, kv = sequence()
    seen = view(Window(4), q, kv.k)
    assert not seen[~band(T, 4)].any() and (seen[band(T, 4)] > 0).all()
    torch.testing.assert_close(seen.sum(-1), torch.ones(T, dtype=torch.float64))


def test_transformers_sliding_window_holds_the_same_pairs():
    cache_utils = pytest.importorskip("transformers.cache_utils", reason="pip install -e '.[oracles]'")
    q, kv = sequence(1, 2, n=30)
    layer = cache_utils.DynamicSlidingWindowLayer(sliding_window=5)
    memory, mem = Window(5), Window(5).init(kv)
    for t in range(30):
        k, v = layer.update(kv.k[:, :, t : t + 1], kv.v[:, :, t : t + 1])  # what attention reads at t
        mem = memory.update(mem, kv[t : t + 1])
        assert torch.equal(memory.slots(mem).k, k) and torch.equal(memory.slots(mem).v, v)


def test_mistral_with_a_sliding_window_reads_what_a_window_reads():
    transformers = pytest.importorskip("transformers", reason="pip install -e '.[oracles]'")
    from transformers.models.mistral import modeling_mistral as mistral

    config = transformers.MistralConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=5,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    model = transformers.MistralForCausalLM(config).double().eval()
    seen = {}

    def spy(module, q, k, v, mask, scaling, **kwargs):
        out, weights = mistral.eager_attention_forward(module, q, k, v, mask, scaling, **kwargs)
        seen.update(q=q, k=k, v=v, out=out)
        return out, weights

    transformers.AttentionInterface.register("spy", spy)
    transformers.AttentionMaskInterface.register("spy", transformers.masking_utils.eager_mask)
    model.set_attn_implementation("spy")
    with torch.no_grad():
        model(torch.arange(30)[None])
    got = attend_all(Window(5), seen["q"], KV(seen["k"], seen["v"]))
    torch.testing.assert_close(got.transpose(1, 2), seen["out"], rtol=1e-4, atol=1e-4)


def test_its_bytes_are_size_pairs_and_no_more():
    _, kv = sequence(2, 3, n=50)
    sizes = [state_bytes(mem) for mem in states(Window(8, sinks=2), kv)]
    pair = 2 * 3 * (4 + 4) * 8
    assert sizes == [pair * min(t + 1, 10) for t in range(50)]


def test_influence_is_the_recipe_and_the_view_times_the_width():
    q, kv = sequence()
    memory = Window(3, sinks=1)
    torch.testing.assert_close(influence(memory, kv), recipe(memory, kv.k)[-1] * 2)
    torch.testing.assert_close(influence(memory, kv, q), view(memory, q, kv.k) * 2)


def test_a_subclass_that_changes_a_step_is_not_read_by_the_old_whole_form():
    class Deaf(Window):
        def update(self, mem, new, q=None):
            return super().update(mem, KV(new.k, torch.zeros_like(new.v)), q)

    q, kv = sequence()
    assert not attend_all(Deaf(4), q, kv).any() and attend_all(Window(4), q, kv).any()


def test_a_saved_state_of_another_memory_or_model_is_refused(tmp_path):
    from memlib import state as st

    path = tmp_path / "state.safetensors"
    st.save(states(Window(4), sequence(2)[1])[-1], path)
    with pytest.raises(ValueError, match=r"load: first.k must be \[3, 'n', 4\] of float64"):
        st.load(path, Window(4).init(sequence(3)[1]))
    torch_file = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, torch_file)
    with pytest.raises(ValueError, match="no state written by save"):
        st.load(torch_file, Window(4).init(sequence()[1]))


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "4", None])
def test_a_size_that_is_no_whole_number_is_refused(bad):
    with pytest.raises(ValueError, match="Window: size must be a whole number >= 1, got"):
        Window(bad)
    if bad != 0:
        with pytest.raises(ValueError, match="Window: sinks must be a whole number >= 0, got"):
            Window(4, sinks=bad)


class Half:
    """A learner's window with one thing wrong at a time."""

    def __init__(self, size, keep=None, oldest=False, write=False, transposed=False):
        self.__dict__.update(locals())

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        both = mem.append(new)
        if self.oldest:
            return both[: self.size]
        kept = both[-self.size :]
        if self.write:
            kept.v.data[0] = 7.0
        return kept

    def read(self, mem, q, new=None, lse=False):
        from memlib import attend

        return attend(-q if self.transposed else q, mem, lse, new)

    def slots(self, mem):
        return mem


@pytest.mark.parametrize(
    "mine, words",
    [
        (Half(4), "no difference in 48 steps"),
        (Half(5), "step 4: 5 slots, expected 4"),
        (Half(3), "step 3: 3 slots, expected 4"),
        (Half(4, oldest=True), "step 4, slot 0: token 0 has weight 1.00, expected 0.00"),
        (Half(4, transposed=True), "step 1: the query receives"),
        (Half(4, write=True), "step 0, slot 0: token 0 has weight 7.00, expected 1.00"),
        (Half("4"), "step 0: TypeError"),
        (object(), "object has no method init"),
    ],
)
def test_check_names_the_first_difference(mine, words):
    verdict = check(mine, Window(4))
    assert str(verdict).startswith(words) and bool(verdict) == (words[0] == "n")


class Plain(Half):
    """Right, until a method is replaced."""

    def update(self, mem, new, q=None):
        return mem.append(new)[-self.size :]

    def read(self, mem, q, new=None, lse=False):
        from memlib import attend

        return attend(q, mem, lse, new)


def broken(**methods):
    return type("Broken", (Plain,), methods)(4)


@pytest.mark.parametrize(
    "mine, words",
    [
        (broken(), "no difference"),
        (broken(update=lambda s, mem, new, q=None: mem.append(new[-1:])[-s.size :]), "five pairs given to update"),
        (broken(read=lambda s, mem, q, new=None, lse=False: Plain.read(s, mem, q)), "read with lse=True"),
        (broken(attend_all=lambda s, q, kv, mem=None: q * 0), "attend_all gives another read"),
        (
            broken(
                update=lambda s, mem, new, q=None: KV(
                    *(x[-4:] for x in vars(mem.append(new)).values() if x is not None and torch.is_tensor(x))
                )
            ),
            "with [batch, heads]",
        ),
    ],
)
def test_check_looks_beyond_the_plain_walk(mine, words):
    assert words in str(check(mine, Window(4)))


def test_check_sees_what_only_a_longer_text_shows():
    assert not check(Window(20), Window(30)) and not check(Window(12), Window(14))


def test_check_names_the_learner_s_own_line():
    class Stuck(Plain):
        def update(self, mem, new, q=None):
            return mem.append(new)[-self.no_such_name :]

    assert "no_such_name" in check(Stuck(4), Window(4)).look


def test_check_sees_a_state_that_a_later_step_changed():
    class Shared(Half):
        def init(self, like):
            return KV(like.k[:0], like.v[:0])

        def update(self, mem, new, q=None):
            if mem.n < self.size:
                return KV(torch.cat([mem.k, new.k]), torch.cat([mem.v, new.v]))
            mem.k[:-1], mem.v[:-1] = mem.k[1:].clone(), mem.v[1:].clone()
            mem.k[-1:], mem.v[-1:] = new.k, new.v
            return mem

    assert "was changed by a later step" in str(check(Shared(4), Window(4)))
