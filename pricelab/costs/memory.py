"""Memory of a training step by part, for a Llama-architecture model as transformers and peft run it.

After the pattern of Korthikanti et al. (arXiv 2205.05198), but with the terms of this architecture: SwiGLU, RMSNorm,
grouped-query attention, LoRA. They were read off what autograd saves (``torch.autograd.graph.saved_tensors_hooks``)
and are held against measured steps in the tests. Gradients count as kept while the next batch runs, which is so when
they are accumulated over batches; then the parts add up to the peak. Where a plan says that they are freed, they take
the room that activations leave, and only what is more than that counts. Introduced in notebook 01.

Notation: d hidden, f feed-forward width, q and k widths of all query and all key heads, H query heads, L layers, V the
vocabulary, B texts of T tokens, r the rank, w bytes of a number in the products (2 or 4).
"""

from dataclasses import dataclass, replace

from pricelab.costs.plan import Plan
from pricelab.costs.shapes import Shape

WIDTH = {"fp32": 4, "bf16": 2, "fp16": 2}  # bytes of a number
# 4 bits, an 8-bit scale for each 64 weights, and an fp32 scale for each 256 of those (QLoRA, arXiv 2305.14314)
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step, by part."""

    weights: float  # of the base and the adapters
    gradients: float  # freed after every batch: only what is larger than activations and logits
    optimizer: float  # AdamW's two moments, and the fp32 copies of 16-bit weights
    activations: float  # kept from the forward for the backward, or the block that is computed again
    logits: float  # scores of the vocabulary for each label, and the gradients of head and embedding

    @property
    def parts(self) -> dict[str, float]:
        """Bytes by the part's name."""
        return dict(vars(self))

    @property
    def total(self) -> float:
        """Bytes in all."""
        return sum(self.parts.values())


def step_memory(plan: Plan) -> Memory:
    """Bytes that a training step of ``plan`` holds at its peak, on one device that does it all."""
    weights, gradients, optimizer = _states(plan)
    activations, logits = _transient(plan)
    if not plan.accumulated:
        gradients = max(0.0, _all_gradients(plan, gradients) - activations - logits)
    return Memory(weights, gradients, optimizer, activations, logits)


def sharded(memory: Memory, plan: Plan, devices: int) -> Memory:
    """What each of ``devices`` holds of a step of ``plan`` under FSDP, when alone it would hold ``memory``.

    Its part of what lasts, and whole: embedding, head and two blocks, of which one computes and one is on its way, with
    their gradients where they learn. 4-bit weights are all on each GPU before they are shared out.
    """
    shape, width = plan.shape, WIDTH.get(plan.weight_format, WIDTH[plan.arithmetic])
    ends = width * shape.embedding * (1 if shape.tied else 2)
    whole = ends + 2 * (memory.weights - ends) / shape.layers
    weights = memory.weights / devices + whole
    if plan.method == "qlora":
        weights = max(weights, memory.weights - memory.activations - memory.logits)
    gradients = memory.gradients / devices + (0.0 if plan.adapts else whole)
    return replace(memory, weights=weights, gradients=gradients, optimizer=memory.optimizer / devices)


def weight_bytes(shape: Shape, held: str, arithmetic: str = "bf16") -> float:
    """Bytes of the weights; int8 and NF4 hold the blocks' linear layers, all else stays in the products' dtype."""
    if held not in ("int8", "nf4"):
        return shape.parameters * WIDTH[held]
    rest = (shape.parameters - shape.linear) * WIDTH[arithmetic]
    if held == "nf4":
        return rest + shape.linear * NF4_BITS / 8
    rows = shape.layers * sum(outputs for _, outputs in shape.matrices.values())
    return rest + shape.linear + 4 * rows  # an fp32 scale for each row (LLM.int8, arXiv 2208.07339)


def _states(plan: Plan) -> tuple[float, float, float]:
    """Bytes of weights, gradients and optimizer."""
    base, n = weight_bytes(plan.shape, plan.weight_format, plan.arithmetic), plan.trainable
    if plan.adapts:  # peft holds adapters in fp32, also beside a 16-bit base
        return base + 4 * n, 4.0 * n, 8.0 * n
    width = WIDTH[plan.weight_format]
    if not plan.master_copy:  # torch gives AdamW's moments the weights' dtype
        return base, width * n, 2 * width * n
    return base, width * n, 8 * n + (4 * n if width == 2 else 0)


def _all_gradients(plan: Plan, gradients: float) -> float:
    """Bytes at the end of a backward; a tied weight's two gradients wait for each other, then are added."""
    tied = not plan.adapts and plan.shape.tied
    return gradients + (2 * WIDTH[plan.weight_format] * plan.shape.embedding if tied else 0)


def _transient(plan: Plan) -> tuple[float, float]:
    """Bytes that come and go with a batch: activations, and what the vocabulary needs."""
    shape, w, tokens = plan.shape, WIDTH[plan.arithmetic], plan.batch * plan.length
    block = block_bytes_per_token(plan) * tokens
    copies = copies_bytes(plan)  # of 4-bit weights one at a time is widened
    widened = w * max(inputs * outputs for inputs, outputs in shape.matrices.values()) if plan.method == "qlora" else 0
    last_norm = (4 if plan.adapts else 4 + 2 * _residual(plan)) * shape.hidden * tokens
    inputs_only = shape.layers * _residual(plan) * shape.hidden * tokens
    kept = copies + (inputs_only if plan.checkpointing else shape.layers * block + last_norm)
    logits = _vocabulary_peak(plan, kept)
    backward = 3 * w * shape.intermediate * tokens + widened  # gradients inside one feed-forward layer
    again = block if plan.checkpointing else 0.0
    return max(kept, kept + again + backward - logits), logits


def _residual(plan: Plan) -> int:
    """Bytes of a number between the blocks: that of the weights where autocast narrows only the products' inputs."""
    return 4 if plan.autocast else WIDTH[plan.arithmetic]


def _vocabulary_peak(plan: Plan, kept: float) -> float:
    """Bytes of scores, head and embedding at their worst, while ``kept`` bytes of activations are held.

    The loss: three arrays of B·T·V in fp32 (T here the labels), the log-probabilities and two gradients. Then, when the
    head learns, its gradient beside that of the scores. At the end of the backward, with the activations gone, the
    embedding's.
    """
    w, scores = WIDTH[plan.arithmetic], plan.batch * (plan.labels or plan.length) * plan.shape.vocabulary
    loss = 12.0 * scores
    if plan.adapts:
        return loss
    head = (6 if plan.autocast and w == 2 else w) * plan.shape.embedding  # in 16 bits, and widened to fp32
    # A tied weight's two gradients wait for each other, then are added.
    end = WIDTH[plan.weight_format] * plan.shape.embedding * (3 if plan.shape.tied else 1)
    return max(loss, head + (4 if w == 4 else 6) * scores, end - kept)


def copies_bytes(plan: Plan) -> float:
    """Bytes of the 16-bit copies that fp32 weights which learn have under autocast, from forward to backward."""
    return 2.0 * plan.trainable if (plan.adapts or plan.autocast) and WIDTH[plan.arithmetic] == 2 else 0.0


def block_bytes_per_token(plan: Plan) -> float:
    """Bytes that one block keeps for the backward, per token.

    ::

        RMSNorms        2·(4·d + 4)      inputs in fp32, and the scale
                      + 2·w·d            normalised values, when the norms' own weights learn (autocast: 4 for w)
        linear inputs   2·w·d + w·f      shared by q, k, v and by gate, up; only where a weight or an adapter learns
        attention       2·w·(q + k)+4·H  fused: queries, keys, values, result, one number a head
                        4·w·q + H·T·…    eager: keys and values repeated, result (if o learns), all scores in fp32 (4)
                                         and, where w is 2, once more in 16 bit (2)
        SwiGLU          3·w·f            gate, its SiLU, up
        LoRA            w·r              a target; in 16 bit each target also keeps a copy of its input
    """
    shape, w = plan.shape, WIDTH[plan.arithmetic]
    d, queries, keys = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = 2 * (4 * d + 4) + (0 if plan.adapts else 2 * _residual(plan) * d)
    if shape.qk_norm:
        norms += (queries + keys) * (4 if plan.adapts else 4 + w) + 4 * (shape.heads + shape.kv_heads)
    if plan.attention == "sdpa":
        attention = 2 * w * (queries + keys) + 4 * shape.heads
    else:
        attention = 3 * w * queries + shape.heads * plan.length * (4 if w == 4 else 6)
    return norms + attention + 3 * w * shape.intermediate + _linear_inputs(plan, w) + w * plan.rank * len(plan.adapted)


def _linear_inputs(plan: Plan, w: int) -> float:
    """Bytes per token of what the linear layers of a block keep of their inputs."""
    widths = {name: inputs for name, (inputs, _) in plan.shape.matrices.items()}
    if (plan.adapts or plan.autocast) and w == 2:  # peft and autocast cast the input for each layer by itself
        return w * sum(widths[name] for name in plan.adapted or widths)
    learning = plan.adapted if plan.adapts else tuple(widths)
    shared = {"q_proj": "norm", "k_proj": "norm", "v_proj": "norm", "gate_proj": "norm 2", "up_proj": "norm 2"}
    if plan.attention == "sdpa":
        learning = tuple(name for name in learning if name != "o_proj")  # its input is the fused attention's result
    return w * sum({shared.get(name, name): widths[name] for name in learning}.values())
