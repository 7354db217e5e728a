"""What got slower since another measurement."""

from __future__ import annotations

from dataclasses import dataclass

from edgevoice.bench.report import Report

_THRESHOLD = 1.05
"""Times the old median, up to which a difference is not worth telling."""


@dataclass(frozen=True)
class Comparison:
    """Two reports, stage by stage."""

    old: Report
    new: Report

    @property
    def ratios(self) -> dict[str, float]:
        """New median by old one, of the stages that both have."""
        return {
            name: timing.median / self.old.timings[name].median
            for name, timing in self.new.timings.items()
            if name in self.old.timings
        }

    @property
    def slower(self) -> list[str]:
        """Stages whose median rose by more than 5 % and by more than chance."""
        return [name for name, ratio in self.ratios.items() if ratio > _THRESHOLD and self._apart(name)]

    @property
    def faster(self) -> list[str]:
        """Stages whose median fell by more than 5 % and by more than chance."""
        return [name for name, ratio in self.ratios.items() if ratio < 1 / _THRESHOLD and self._apart(name)]

    def table(self) -> str:
        """Plain text for people."""
        lines = [f"{'milliseconds a window, p50':<28}{'old':>9}{'new':>9}{'ratio':>9}"]
        for name, ratio in self.ratios.items():
            verdict = "  slower" if name in self.slower else "  faster" if name in self.faster else ""
            before, after = 1e3 * self.old.timings[name].median, 1e3 * self.new.timings[name].median
            lines.append(f"{name:<28}{before:9.3f}{after:9.3f}{ratio:9.2f}{verdict}")
        lines.append("")
        for name, ratio in self.new.ratios.items():
            if name in self.old.ratios:
                lines.append(f"{name:<28}{self.old.ratios[name]:9.2f}{ratio:9.2f}")
        for what, old, new in (
            ("processor", self.old.machine.processor, self.new.machine.processor),
            ("model", self.old.model, self.new.model),
            ("device", f"{self.old.device}, {self.old.threads}", f"{self.new.device}, {self.new.threads}"),
        ):
            if old != new:
                lines.append(f"not the same {what}: {old}; {new}")
        return "\n".join(lines)

    def _apart(self, name: str) -> bool:
        one, other = self.old.timings[name].notch, self.new.timings[name].notch
        return one[1] < other[0] or other[1] < one[0]
