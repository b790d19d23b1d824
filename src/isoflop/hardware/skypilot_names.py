"""What SkyPilot's words mean here: which device, which host machine, which provider."""

from __future__ import annotations

import re
from typing import NamedTuple

from isoflop.hardware.catalog import device, device_names

PROVIDERS = {
    "aws": "Amazon Web Services", "azure": "Microsoft Azure", "gcp": "Google Cloud", "oci": "Oracle Cloud",
    "lambda": "Lambda", "nebius": "Nebius", "runpod": "RunPod", "vast": "vast.ai", "cudo": "Cudo Compute",
    "fluidstack": "FluidStack", "paperspace": "Paperspace", "do": "DigitalOcean", "ibm": "IBM Cloud",
    "scp": "Samsung Cloud", "hyperbolic": "Hyperbolic", "primeintellect": "Prime Intellect", "seeweb": "Seeweb",
    "shadeform": "Shadeform", "verda": "Verda", "yotta": "Yotta",
}  # fmt: skip

# Accelerator, then instance (regular expressions, the whole accelerator and any part of the instance), then devices.
# First match wins. SkyPilot's plain A100 has 40 GB and its plain V100 has 16 GB; the form factor shows in the instance.
_SXM40, _PCIE40, _SXM80, _PCIE80 = "a100-sxm-40gb", "a100-pcie-40gb", "a100-sxm-80gb", "a100-pcie-80gb"
_H100_ANY = ("h100-sxm-80gb", "h100-pcie-80gb")
_RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"A100", r"sxm|^p4d|^a2-|ND96a|BM\.GPU", (_SXM40,)),
    (r"A100", r"pcie|^NC", (_PCIE40,)),
    (r"A100", r"", (_SXM40, _PCIE40)),
    (r"A100(-80GB)?-SXM(-80GB)?|A100-SXM4-80GB", r"", (_SXM80,)),
    (r"A100(-80GB)?-PCIE(-80GB)?", r"", (_PCIE80,)),
    (r"A100-80GB", r"sxm|^p4de|^a2-|ND96a|BM\.GPU", (_SXM80,)),
    (r"A100-80GB", r"pcie|^NC|Standard_NC|_A100-80GB_", (_PCIE80,)),
    (r"A100-80GB", r"", (_SXM80, _PCIE80)),
    (r"H100-NVL|H100", r"NC\d+ad\w*_H100|nvl", ("h100-nvl-94gb",)),
    (r"H100-NVL", r"", ("h100-nvl-94gb",)),
    (r"H100(-80GB)?-SXM|H100-MEGA(-80GB)?", r"", ("h100-sxm-80gb",)),
    (r"H100(-80GB)?-PCIE", r"", ("h100-pcie-80gb",)),
    (r"H100(-80GB)?", r"sxm|^p5\.|^a3-|ND96is|BM\.GPU\.H100", ("h100-sxm-80gb",)),
    (r"H100(-80GB)?", r"pcie", ("h100-pcie-80gb",)),
    (r"H100(-80GB)?", r"", _H100_ANY),
    (r"H200-NVL", r"", ("h200-nvl-141gb",)),
    (r"H200(-SXM|-141GB)?", r"", ("h200-sxm-141gb",)),
    (r"GH200", r"", ("gh200-96gb",)),
    (r"B200(-SXM)?", r"", ("b200-sxm-180gb",)),
    (r"B300(-SXM)?", r"", ("b300-sxm-288gb",)),
    (r"GB200", r"", ("gb200-186gb",)),
    (r"GB300", r"", ("gb300-288gb",)),
    (r"V100-32GB", r"", ("v100-sxm2-32gb",)),
    (r"V100", r"^p3\.|^gpu_|ND40|^n1-", ("v100-sxm2-16gb",)),
    (r"V100", r"NC\d+s_v3|pcie", ("v100-pcie-16gb",)),
    (r"V100", r"", ("v100-sxm2-16gb", "v100-pcie-16gb")),
    (r"P100", r"", ("p100-pcie-16gb",)),
    (r"MI300X", r"", ("mi300x-192gb",)),
    (r"RTX-?A6000|A6000", r"", ("a6000",)),
    (r"RTX-?6000-?Ada", r"", ("rtx-6000-ada",)),
    (r"RTX-?4000-?Ada", r"", ("rtx-4000-ada-20gb",)),
    (r"RTX-?5000-?Ada", r"", ("rtx-5000-ada-32gb",)),
    (r"RTX-?(PRO-?)?6000(-Blackwell\w*)?|RTXPRO6000", r"", ("rtx-pro-6000-96gb",)),
    (r"Trainium", r"", ("trainium1-32gb",)),
    (r"Trainium2", r"", ("trainium2-96gb",)),
    (r"Inferentia2", r"", ("inferentia2-32gb",)),
)  # fmt: skip
_COMPILED = tuple(
    (re.compile(name, re.IGNORECASE), re.compile(instance, re.IGNORECASE), meant) for name, instance, meant in _RULES
)
_RTX = re.compile(r"(?:RTX|GeForce)[- ]?(\d{4})", re.IGNORECASE)
_TPU = re.compile(r"tpu-(v\d+(?:e|p|litepod)?)-(\d+)")


def provider_of(cloud: str) -> str:
    """The provider's name as the price files here write it."""
    return PROVIDERS.get(cloud, cloud)


def devices_meant(accelerator: str, instance: str) -> tuple[str, ...]:
    """The devices that an accelerator's name can mean on that instance; none where it is not catalogued."""
    if accelerator.startswith("tpu"):
        return (_tpu(accelerator)[0],)
    for name, where, meant in _COMPILED:
        if name.fullmatch(accelerator) and where.search(instance):
            return meant
    found = _RTX.fullmatch(accelerator)
    exact = f"rtx-{found[1]}" if found else accelerator.lower()
    return (exact,) if exact in device_names() else ()


def _tpu(accelerator: str) -> tuple[str, str]:
    """The device and the slice's own name: tpu-v5litepod-8 is a tpu-v5e, v5litepod-8."""
    found = _TPU.fullmatch(accelerator)
    generation = found[1].replace("litepod", "e") if found else accelerator
    name = device(f"tpu-{generation}").name if found else device(accelerator).name
    return name, accelerator.removeprefix("tpu-")


def tpu_chips(accelerator: str) -> int:
    """How many chips a slice has; v2 to v4 and v5p count cores, two a chip."""
    name, sold_as = _tpu(accelerator)
    return device(name).chips_in(sold_as)


class HostFamily(NamedTuple):
    """Which of a family's machines so many accelerators are attached to."""

    family: str
    name: str = ""
    cpus: int = 0

    def takes(self, instance: str, cpus: float) -> bool:
        """Whether this machine is meant for them."""
        return instance == self.name if self.name else cpus >= self.cpus


_BY_NAME = {
    "A100": "a2-highgpu", "A100-80GB": "a2-ultragpu", "H100": "a3-highgpu", "H100-MEGA-80GB": "a3-megagpu",
    "H100-MEGA": "a3-megagpu", "H200": "a3-ultragpu", "B200": "a4-highgpu",
}  # fmt: skip
_G2_CPUS = {1: 4, 2: 24, 4: 48, 8: 96}
CPUS_PER_GPU = 8
"""vCPUs taken for one accelerator that is attached to a general machine (n1): SkyPilot's own default for V100."""


def host_family(accelerator: str, count: int) -> HostFamily:
    """The machine that Google Cloud rents `count` of an accelerator with."""
    if accelerator in _BY_NAME:
        machine = "a2-megagpu" if accelerator == "A100" and count == 16 else _BY_NAME[accelerator]
        return HostFamily(machine.partition("-")[0], f"{machine}-{count}g")
    if accelerator == "L4":
        return HostFamily("g2", cpus=_G2_CPUS.get(count, 12 * count))
    return HostFamily("n1", cpus=CPUS_PER_GPU * count)
