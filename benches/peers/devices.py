"""The devices that a run can measure: what keraunos calls them, and the Vulkan driver of their peers.

Peers on an adapter take the first that their own search finds, so a software adapter is made the only
one of the process by naming its driver's file.
"""

from dataclasses import dataclass
from pathlib import Path

import peers


@dataclass(frozen=True)
class Device:
    """`adapter` is keraunos's name for it; `drivers` the places of its Vulkan driver's file."""

    name: str
    adapter: str
    drivers: tuple[str, ...] = ()

    @property
    def peers(self):
        return peers.HOST if self.adapter == "host" else peers.ADAPTER

    def environment(self):
        """What a process needs for this device to be the only one, where that is known."""
        icd = next((file for file in self.drivers if Path(file).exists()), None)
        return {"VK_ICD_FILENAMES": icd, "VK_DRIVER_FILES": icd} if icd else {}


KNOWN = (
    Device("host", "host"),
    Device(
        "lavapipe",
        "llvmpipe",
        tuple(f"/usr/share/vulkan/icd.d/lvp_icd.{arch}.json" for arch in ("x86_64", "aarch64")),
    ),
    Device(
        "swiftshader",
        "SwiftShader",
        ("/usr/lib/chromium/vk_swiftshader_icd.json", "/opt/google/chrome/vk_swiftshader_icd.json"),
    ),
)


def named(name):
    """A known device, or the adapter of that name with whatever drivers there are."""
    return next((device for device in KNOWN if device.name == name), Device(name, name))
