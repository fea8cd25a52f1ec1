"""Peak memory of a real training step on the CPU, to hold the formulas of `memory` against. Introduced in notebook 01.

Counts what tensors hold, by watching every operation: not the process, nor what a matrix library takes for a moment.
"""

import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pricelab.backbone import autocast
from pricelab.bases import nf4, quiet
from pricelab.costs.plan import Plan


def measured_peak(plan: Plan, *, keep_gradients: bool = True) -> float:
    """Bytes that tensors hold at the peak of a training step of ``plan``, run here with random weights and tokens.

    A first step makes gradients and moments, the second is measured. fp16 is run as bf16, which is as large.

    Args:
        plan: what to run; its hardware only decides the arithmetic over 4-bit weights.
        keep_gradients: hold them from step to step, as accumulating over several batches does; with False they are
            freed before each step, so that they and all activations are never there at once.

    Raises:
        ValueError: int8 weights, which the CPU's kernels hold in ways of their own.
    """
    if plan.weight_format == "int8":
        raise ValueError("int8 weights are not measured on a CPU; choose precision nf4, bf16 or fp32")
    with quiet(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        model = _model(plan, folder)
    step, optimizer_tensors = _training_step(plan, model, keep_gradients)
    step()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    watch = _watch([*model.parameters(), *model.buffers(), *_block_scales(model), *gradients, *optimizer_tensors()])
    del gradients
    with watch:
        step()
    return float(watch.peak)


def live_tensors(model: Any) -> Any:
    """A ``with`` block whose ``peak`` is the most bytes that tensors held in it, those of ``model`` from the start."""
    return _watch([*model.parameters(), *model.buffers(), *_block_scales(model)])


def _torch_dtype(plan: Plan) -> Any:
    import torch

    return torch.float32 if plan.arithmetic == "fp32" else torch.bfloat16


def _model(plan: Plan, folder: str) -> Any:
    """The model of the plan's shape with random weights, quantised, adapted and checkpointed as planned."""
    from transformers import AutoModelForCausalLM

    dtype = _torch_dtype(plan)
    config = plan.shape.config(max_position_embeddings=plan.length)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=plan.attention)
    if plan.method == "qlora":
        model.save_pretrained(folder)
        options = {"quantization_config": nf4(dtype), "device_map": "cpu", "attn_implementation": plan.attention}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options)
    if plan.checkpointing:
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    if plan.adapts:
        from pricelab.training import Recipe, add_adapters

        model = add_adapters(model, Recipe(rank=plan.rank, targets=plan.adapted))
    return model.train()


def _training_step(plan: Plan, model: Any, keep_gradients: bool) -> tuple[Callable[[], None], Callable[[], Iterator]]:
    """A step that can be repeated, and what gives the optimizer's tensors afterwards."""
    import torch

    dtype = _torch_dtype(plan)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    copies = not plan.adapts and dtype != torch.float32 and plan.master_copy
    masters = [torch.nn.Parameter(weight.detach().float()) for weight in weights] if copies else weights
    # One optimizer a weight: fp32 gradients for all copies at once would be memory that no real one needs.
    optimizers = [torch.optim.AdamW([master], fused=True) for master in masters]
    tokens = torch.randint(plan.shape.vocabulary, (plan.batch, plan.length))

    def step() -> None:
        if not keep_gradients:
            model.zero_grad()
        with autocast("cpu", dtype if plan.adapts else torch.float32):
            loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        for weight, master, optimizer in zip(weights, masters, optimizers, strict=True):
            if copies:
                master.grad = weight.grad.float()
            optimizer.step()
            if copies:
                weight.data.copy_(master.data)
                master.grad = None

    def tensors() -> Iterator[Any]:
        yield from masters
        for optimizer in optimizers:
            yield from (value for state in optimizer.state.values() for value in state.values())

    return step, tensors


def _block_scales(model: Any) -> Iterator[Any]:
    """What bitsandbytes keeps beside 4-bit weights: block scales, quantised once more, and code books."""
    for module in model.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        while state is not None:
            yield from (state.absmax, state.code)
            state = state.state2


def _watch(held: Iterable[Any]) -> Any:
    """A mode that follows the bytes of all tensors from now on; those of ``held`` count from the start."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Watch(TorchDispatchMode):
        now = peak = 0

        def __init__(self) -> None:
            super().__init__()
            self.storages: dict[int, Any] = {}

        def add(self, tensor: Any) -> None:
            storage = tensor.untyped_storage()
            address, size = storage.data_ptr(), storage.nbytes()
            if size and address not in self.storages:
                self.storages[address] = weakref.ref(storage, lambda _: self.drop(address, size))
                self.now += size
                self.peak = max(self.peak, self.now)

        def drop(self, address: int, size: int) -> None:
            del self.storages[address]
            self.now -= size

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(result):
                if isinstance(leaf, torch.Tensor):
                    self.add(leaf)
            return result

    watch = Watch()
    for tensor in held:
        watch.add(tensor)
    return watch
