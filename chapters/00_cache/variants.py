"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""


def hand(weights="[0.25, 0.125, 0.625]", result="30.0"):
    return f"weights = {weights}\nresult = {result}"


def reading(*lines):
    return "def read(q, k, v, temperature=1.0):\n    " + "\n    ".join(lines)


def size(formula):
    return f"def cache_bytes(layers, kv_heads, width, tokens, batch, number_bytes):\n    return {formula}"


def mem(at_4="[0, 1, 2, 3, 4]", after="1000"):
    return f"at_4 = {at_4}\nafter_1000 = {after}"


def doubling(full_one="2", full_whole="4", fixed_one="1", fixed_whole="2"):
    return (
        f"full_one_token = {full_one}\nfull_whole_text = {full_whole}\n"
        f"fixed_one_token = {fixed_one}\nfixed_whole_text = {fixed_whole}"
    )


def places(a="external", b="internal", c="efficient"):
    return f'a = "{a}"\nb = "{b}"\nc = "{c}"'


def causal(*lines):
    return "def causal(q, k, v):\n    " + "\n    ".join(lines)


SCORES = "scores = q @ k.T / q.shape[-1] ** 0.5"
HIDE = "scores = scores.masked_fill(~torch.ones_like(scores).tril().bool(), -torch.inf)"

VARIANTS = {
    "by_hand": {
        "correct": {
            "fractions": hand("[2 / 8, 1 / 8, 5 / 8]", "240 / 8"),
            "a tensor": hand("torch.tensor([2.0, 1.0, 5.0]) / 8", "torch.tensor(30.0)"),
            "computed": hand("torch.tensor([2.0, 1.0, 5.0]).log().softmax(0).tolist()", "10 / 4 + 20 / 8 + 40 * 5 / 8"),
        },
        "wrong": {
            "shares of the logarithms": hand("[0.3010, 0.0, 0.6990]", "30.97"),
            "a plain mean": hand("[1 / 3, 1 / 3, 1 / 3]", "23.333"),
            "weights not normed": hand("[2, 1, 5]", "240"),
            "the strongest only": hand("[0, 0, 1]", "40"),
            "the read forgotten": hand(result="23.3"),
            "order turned": hand("[0.625, 0.125, 0.25]", "18.75"),
        },
    },
    "read": {
        "correct": {
            "a loop": reading(
                "import math",
                "e = [math.exp(float((key * q).sum()) / (math.sqrt(len(q)) * temperature)) for key in k]",
                "return sum(w / sum(e) * value for w, value in zip(e, v))",
            ),
            "rows": reading("s = (q[None] @ k.mT) / (q.numel() ** 0.5 * temperature)", "return (s.softmax(-1) @ v)[0]"),
            "float64": reading(
                "s = (k.double() * q.double()).sum(-1) / (q.shape[0] ** 0.5 * temperature)",
                "w = (s - s.max()).exp()",
                "return (w[:, None] * v.double()).sum(0) / w.sum()",
            ),
            "einsum": reading(
                "w = torch.einsum('d,nd->n', q, k).div(q.shape[-1] ** 0.5 * temperature).softmax(0)",
                "return torch.einsum('n,ne->e', w, v)",
            ),
        },
        "wrong": {
            "no scale": reading("return torch.softmax(k @ q / temperature, 0) @ v"),
            "scaled by d": reading("return torch.softmax(k @ q / (len(q) * temperature), 0) @ v"),
            "temperature upside down": reading("return torch.softmax(k @ q / len(q) ** 0.5 * temperature, 0) @ v"),
            "temperature forgotten": reading("return torch.softmax(k @ q / len(q) ** 0.5, 0) @ v"),
            "no softmax": reading("s = k @ q / (len(q) ** 0.5 * temperature)", "return s / s.sum() @ v"),
            "softmax over the wrong axis": reading(
                "s = (k * q) / (len(q) ** 0.5 * temperature)", "return torch.softmax(s, 1).sum(1) @ v"
            ),
            "scaled by the number of pairs": reading(
                "return torch.softmax(k @ q / (len(k) ** 0.5 * temperature) / 2, 0) @ v"
            ),
        },
    },
    "bytes": {
        "correct": {
            "keys and values": size("(kv_heads * width + kv_heads * width) * layers * tokens * batch * number_bytes"),
            "a product": "import math\n\n\n"
            + size("math.prod([2, layers, kv_heads, width, tokens, batch, number_bytes])"),
            "a loop": "def cache_bytes(layers, kv_heads, width, tokens, batch, number_bytes):\n    total = 0\n"
            "    for _ in range(layers):\n        for _ in range(2):\n"
            "            total += torch.zeros(batch, kv_heads, tokens, width).numel() * number_bytes\n    return total",
        },
        "wrong": {
            "keys only": size("layers * kv_heads * width * tokens * batch * number_bytes"),
            "batch forgotten": size("2 * layers * kv_heads * width * tokens * number_bytes"),
            "queries too": size("3 * layers * kv_heads * width * tokens * batch * number_bytes"),
            "layers forgotten": size("2 * kv_heads * width * tokens * batch * number_bytes"),
            "always two bytes": size("2 * layers * kv_heads * width * tokens * batch * 2"),
            "a table of scores": size("2 * layers * kv_heads * width * tokens * tokens * batch * number_bytes"),
        },
    },
    "mem": {
        "correct": {
            "a range": mem("range(5)", "10 ** 3"),
            "a tensor": mem("torch.arange(5)", "torch.tensor(1000)"),
            "a tuple": mem("(0, 1, 2, 3, 4)", "1000.0"),
        },
        "wrong": {
            "not itself": mem("[0, 1, 2, 3]"),
            "itself only": mem("[4]"),
            "the future too": mem("[0, 1, 2, 3, 4, 5]"),
            "newest first": mem("[4, 3, 2, 1, 0]"),
            "keys and values counted": mem(after="2000"),
            "one less": mem(after="999"),
        },
    },
    "doubling": {
        "correct": {
            "floats": doubling("2.0", "4.0", "1.0", "2.0"),
            "powers": doubling("2 ** 1", "2 ** 2", "2 ** 0", "2 ** 1"),
            "tensors": doubling("torch.tensor(2)", "torch.tensor(4)"),
        },
        "wrong": {
            "one token stays the same": doubling(full_one="1"),
            "the whole only doubles": doubling(full_whole="2"),
            "the whole grows eight times": doubling(full_whole="8"),
            "fixed doubles per token": doubling(fixed_one="2"),
            "fixed costs nothing more": doubling(fixed_whole="1"),
        },
    },
    "map": {
        "correct": {
            "capitals": places("External", "Internal", "Efficient"),
            "spaces": places(" external ", "internal ", " efficient"),
            "together": 'a, b, c = "external", "internal", "efficient"',
        },
        "wrong": {
            "turned round": places("internal", "external", "efficient"),
            "two swapped": places("external", "efficient", "internal"),
            "all internal": places("internal", "internal", "internal"),
            "shifted": places("efficient", "external", "internal"),
            "letters": places("a", "b", "c"),
        },
    },
    "bug": {
        "correct": {
            "a sum": causal(
                SCORES,
                "scores = scores + torch.full_like(scores, -torch.inf).triu(1)",
                "return scores.softmax(1) @ v",
            ),
            "a loop": causal(
                "rows = [torch.softmax(k[: i + 1] @ q[i] / q.shape[-1] ** 0.5, 0) @ v[: i + 1] for i in range(len(q))]",
                "return torch.stack(rows)",
            ),
            "normed by hand": causal(SCORES, "w = scores.exp().tril()", "return w / w.sum(-1, keepdim=True) @ v"),
        },
        "wrong": {
            "as given": causal(SCORES, "return torch.softmax(scores.tril(), 0) @ v"),
            "axis mended only": causal(SCORES, "return torch.softmax(scores.tril(), -1) @ v"),
            "mask mended only": causal(SCORES, HIDE, "return torch.softmax(scores, 0) @ v"),
            "hidden after the softmax": causal(SCORES, "return torch.softmax(scores, -1).tril() @ v"),
            "the past is hidden": causal(
                SCORES,
                "scores = scores.masked_fill(~torch.ones_like(scores).triu().bool(), -torch.inf)",
                "return torch.softmax(scores, -1) @ v",
            ),
            "itself is hidden": causal(
                SCORES,
                "scores = scores.masked_fill(~torch.ones_like(scores).tril(-1).bool(), -1e9)",
                "return torch.softmax(scores, -1) @ v",
            ),
        },
    },
    "design": {
        "correct": {
            "found by descent": "query = torch.tensor([1.3, 0.8, 4.7])",
            "a list": "query = [1.5, 1.0, 4.6]",
            "searched": "g = torch.Generator().manual_seed(0)\n"
            "tries = torch.nn.functional.normalize(torch.randn(4000, 3, generator=g), dim=-1) * 4.99\n"
            "query = tries[torch.softmax(tries @ keys.T / 3**0.5, -1)[:, 3].argmax()]",
        },
        "wrong": {
            "too long": "query = torch.tensor([10.0, 10.0, 20.0])",
            "along the key": "query = 5 * keys[3] / keys[3].norm()",
            "too short": "query = torch.tensor([0.3, 0.3, 0.6])",
            "another token": "query = torch.tensor([-4.0, 3.0, 3.0])",
            "nothing": "query = torch.zeros(3)",
            "the mean of the keys": "query = keys.mean(0)",
        },
    },
}
