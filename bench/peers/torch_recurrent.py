# SPDX-License-Identifier: MIT
"""nn.RNN, nn.GRU and nn.LSTM, forward and backward by the input and all parameters."""

from torch import Tensor, nn

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentLayer:
    """The layer `<cell> T.. B..` of the file: its parameters have PyTorch's names."""

    def __init__(self, name: str, tensors: dict[str, Tensor]) -> None:
        weights = {key.removeprefix("weights."): value for key, value in tensors.items() if key.startswith("weights.")}
        hidden = tensors["cotangent"].shape[2]
        layers = sum(key.startswith("weight_ih_l") for key in weights)
        self.x = tensors["x"].clone().requires_grad_()
        self.layer = LAYERS[name.split()[0]](self.x.shape[2], hidden, layers, batch_first=True)
        self.layer.load_state_dict(weights)
        self.cotangent = tensors["cotangent"]
        self.parameters = dict(self.layer.named_parameters())

    def run(self) -> Tensor:
        """One forward and backward pass, which overwrites all gradients; returns the output."""
        self.x.grad = None
        for parameter in self.parameters.values():
            parameter.grad = None
        output, _ = self.layer(self.x)
        output.backward(self.cotangent)
        return output

    def results(self) -> dict[str, Tensor]:
        """The output and all gradients, named as in the file."""
        output = self.run().detach()
        gradients = {"x": self.x.grad, **{name: p.grad for name, p in self.parameters.items()}}
        return {"y": output, **{f"gradients.{name}": g for name, g in gradients.items() if g is not None}}
