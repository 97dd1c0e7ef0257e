"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    parts = pick((3, 4, 1), (1, 2, 5), (5, 2, 1), (4, 1, 3))
    values = pick((10, 30, 50), (8, 40, 16), (40, 80, 20))
    weights = [part / sum(parts) for part in parts]
    a, b, c = parts
    return {
        r"\ln 2,\ \ln 1,\ \ln 5$. The values are 10, 20 and 40.": (
            rf"\ln {a},\ \ln {b},\ \ln {c}$. The values are {values[0]}, {values[1]} and {values[2]}."
        ),
        "The exponentials are 2, 1 and 5": f"The exponentials are {a}, {b} and {c}",
        "[0.25, 0.125, 0.625]": weights,
        "result = 30.0": f"result = {sum(w * v for w, v in zip(weights, values, strict=True))}",
    }


def read(pick):
    name, word = pick("receive", "recall", "attended"), pick("sharpness", "focus")
    return {
        "read(q, k, v, temperature": f"{name}(q, k, v, {word}",
        r"$q\cdot k_i/(\sqrt d\,\cdot$ temperature$)$": rf"$q\cdot k_i\,\cdot$ {word} $/\sqrt d$",
        "more\nevenly the weights": "less\nevenly the weights",
        "k @ q / (q.shape[-1] ** 0.5 * temperature)": f"k @ q / q.shape[-1] ** 0.5 * {word}",
        "temperature": word,
    }


def bytes_(pick):
    name = pick("kv_bytes", "bytes_kept", "memory_bytes")
    return {
        "cache_bytes(layers, kv_heads, width, tokens, batch, number_bytes)": (
            f"{name}(layers, kv_heads, width, batch, tokens, number_bits)"
        ),
        "For the course's model after": "A number has `number_bits` bits, eight to a byte. For the course's model after",
        "cache_bytes(3, 4, 32, 1, 1, 4)": f"{name}(3, 4, 32, 1, 1, 32)",
        "batch * number_bytes": "batch * number_bits // 8",
        "cache_bytes(layers, heads, 64, tokens, 3, 2)": f"{name}(layers, heads, 64, 3, tokens, 16)",
        "cache_bytes(layers, heads + 1, 128, tokens, 1, 4)": f"{name}(layers, heads + 1, 128, 1, tokens, 32)",
        "cache_bytes(1, heads, 16, tokens % 50 + 1, 2, 4)": f"{name}(1, heads, 16, 2, tokens % 50 + 1, 32)",
        "one product of all six numbers, and of the two.": "one product of all six numbers, and of the two, in bits.",
    }


def mem(pick):
    t, n = pick(5, 6, 7, 8), pick(300, 500, 2000, 3000)
    return {
        "4 reads, oldest first": f"{t} reads, oldest first",
        "n = 1000": f"n = {n}",
        "Tokens 0 to 4 are five pairs.": f"Tokens 0 to {t} are {word(t + 1)} pairs.",
        "at_4 = [0, 1, 2, 3, 4]": f"at_{t} = {[*range(t + 1)]}",
        "at_4, axes": f"at_{t}, axes",
        "Mem at token 4": f"Mem at token {t}",
        "after_1000 = 1000": f"after_{n} = {n}",
        "pairs after 1000 tokens": f"pairs after {n} tokens",
        "after_1000, digits": f"after_{n}, digits",
    }


def doubling(pick):
    factor = pick(3, 4, 5)
    return {
        "n doubles": f"n becomes {factor} n",
        "The text becomes twice as long": f"The text becomes {word(factor)} times as long",
        "full_one_token = 2": f"full_one_token = {factor}",
        "full_whole_text = 4": f"full_whole_text = {factor**2}",
        "fixed_whole_text = 2": f"fixed_whole_text = {factor}",
        "at token 10 and at token 20, then sum from 1 to 10 and to 20.": (
            f"at token 10 and at token {10 * factor}, then sum from 1 to 10 and to {10 * factor}."
        ),
    }


def map_(pick):
    said = (
        "Beside the model stands a store of ten million pairs, some from other documents. Each query fetches\n"
        "  the few pairs nearest to it.",
        "The model keeps a state of 64 slots. Each new pair changes the state; what is not in it is gone.",
        "All pairs are kept, but each query is compared only with every eighth of them, in a fixed pattern.",
    )
    kinds = ("external", "internal", "efficient")
    order = pick((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    changes = {said[i]: said[j] for i, j in enumerate(order)}
    return changes | {f'{"abc"[i]} = "{kinds[i]}"': f'{"abc"[i]} = "{kinds[j]}"' for i, j in enumerate(order)}


def bug(pick):
    masked, normed = pick(
        ("scores = scores - 2.0 * ~allowed", "weights = torch.softmax(scores, 0)"),
        ("weights = torch.softmax(scores, 0)", "weights = weights * allowed"),
        ("scores = scores.masked_fill(~allowed, 0.0)", "weights = torch.softmax(scores, 0)"),
    )
    return {
        "causal(q, k": f"{pick('masked', 'causal_read', 'read_past')}(q, k",
        "# scores = scores * allowed": f"# {masked}",
        "# weights = torch.softmax(scores, 0)": f"# {normed}",
    }


def design(pick):
    keys = [[2.0, 0.5, 0.0], [1.5, 1.5, 0.5], [-1.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.0, -2.0, 1.0]]
    query = [1.4, 0.9, 4.7]
    columns, rows = pick((1, 2, 0), (2, 0, 1), (2, 1, 0)), pick((3, 1, 0, 4, 2), (4, 3, 2, 0, 1), (2, 0, 3, 1, 4))
    turned, token = [[keys[row][c] for c in columns] for row in rows], rows.index(3)
    return {
        str(keys): turned,
        "from token 3.": f"from token {token}.",
        "torch.tensor([1.4, 0.9, 4.7])": f"torch.tensor({[query[c] for c in columns]})",
        "token 3 gets": f"token {token} gets",
        "[-1, 3]": f"[-1, {token}]",
    }


DRAWS = {one.__name__.strip("_"): one for one in (by_hand, read, bytes_, mem, doubling, map_, bug, design)}
