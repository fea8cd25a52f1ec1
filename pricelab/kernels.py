"""Which Python executes notebooks: this very one, whatever kernels are registered on the machine.

Used by `notebooks` and `app`; needs the packages of the extra ``lab``.
"""

import sys
from typing import Any


def this_python() -> type[Any]:
    """A manager of kernels that knows only this Python: one registered by another must not run our notebooks."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class ThisPython(KernelSpecManager):
        """Every kernel's name stands for this Python."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
            return KernelSpec(argv=command, language="python", display_name="Python 3")

    return ThisPython
