"""LSTM layers as single ONNX operators, for the export of recurrent autoencoders.

An LSTM reads a spectrogram column by column. PyTorch's exporter would write these steps out one by one, which takes a
minute and makes a large, slow graph, where ONNX has one operator for the whole layer. While a network is exported, this
module takes the place of `nn.LSTM` and writes that operator, with the gates in its order, as the ONNX specification has
it (operator `LSTM`). The numbers are those of PyTorch up to the rounding of float32, which verification checks; nothing
is lost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OnnxLSTM(nn.Module):
    """An `nn.LSTM` with `batch_first`, begun at zero, that becomes one operator a layer.

    Only for tracing: it gives shapes, not numbers.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.layers, self.units, self.directions = lstm.num_layers, lstm.hidden_size, 1 + lstm.bidirectional
        ways = ["", "_reverse"][: self.directions]
        for layer in range(self.layers):
            for name, stems in (("weight", ["weight_ih"]), ("recurrence", ["weight_hh"]), ("bias", ["bias_ih", "bias_hh"])):
                rows = [
                    torch.cat([_reorder(getattr(lstm, f"{stem}_l{layer}{way}").detach()) for stem in stems]) for way in ways
                ]
                self.register_buffer(f"{name}_{layer}", torch.stack(rows))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return outputs (n, steps, directions * units) and the final states of (n, steps, features)."""
        x = x.transpose(0, 1)
        states, cells = [], []
        for layer in range(self.layers):
            x, state, cell = self._layer(layer, x)
            states.append(state)
            cells.append(cell)
        return x.transpose(0, 1), (torch.cat(states), torch.cat(cells))

    def _layer(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, count = x.shape[:2]
        outputs, state, cell = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (x, *(self.get_buffer(f"{name}_{layer}") for name in ("weight", "recurrence", "bias"))),
            attrs={"hidden_size": self.units, "direction": "bidirectional" if self.directions == 2 else "forward"},
            dtypes=(x.dtype, x.dtype, x.dtype),
            shapes=((steps, self.directions, count, self.units), *[(self.directions, count, self.units)] * 2),
            version=18,
        )
        if self.directions == 1:
            return outputs.squeeze(1), state, cell
        return outputs.transpose(1, 2).flatten(2), state, cell  # (steps, n, directions * units)


def use_onnx_lstm(network: nn.Module) -> nn.Module:
    """Replace every LSTM of a network, in place."""
    for name, child in network.named_children():
        if isinstance(child, nn.LSTM):
            setattr(network, name, OnnxLSTM(child))
        else:
            use_onnx_lstm(child)
    return network


def _reorder(rows: Tensor) -> Tensor:
    """Gates in ONNX's order (input, output, forget, cell) from PyTorch's (input, forget, cell, output)."""
    enter, keep, new, leave = rows.chunk(4)
    return torch.cat([enter, leave, keep, new])


def pytorch_order(rows: Tensor) -> Tensor:
    """Gates in PyTorch's order from ONNX's."""
    enter, leave, keep, new = rows.chunk(4)
    return torch.cat([enter, keep, new, leave])
